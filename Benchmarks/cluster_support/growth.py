"""A node added to a filled cluster: what moves, and what clients notice of it."""

import json
import time

from lab_support import LabError

from .load import Foreground, Meter, fill
from .stores import Cluster
from .tables import is_met, number, table

MOVED_GOAL, BALANCE_GOAL, LATENCY_GOAL = 0.10, 0.05, 1.5
LIMIT_SECONDS = 180
# Between two looks at the moves: each is a process and some calls, on the cores that clients and servers share.
LOOK_SECONDS = 2


def run(options) -> str:
    with Cluster(options.folder, options.sites, options.nodes, options.disks, late=1, scheme=options.scheme,
                 binary=options.binary) as lab:
        fill(lab, options.count)
        before = Foreground(lab, options, "before/").start(options.seconds).finish()
        new = next(node.name for node in lab.hosts.values() if node.name in lab.late and node.site == lab.sites()[0])
        lab.join(new)
        foreground = Foreground(lab, options, "meanwhile/")
        lab.wait_until_whole()
        held = lab.live_bytes()
        load, meter = foreground.start(LIMIT_SECONDS), Meter(lab)
        lab.admin("disk", "add", "--node", new, *(["--rate", options.rate] if options.rate else []))
        try:
            moved = wait_until_moved(lab)
            seconds, cpu = meter.seconds, meter.cpu_seconds
        finally:
            during = load.interrupt()
        lab.wait_until_whole()
        return describe(lab, new, held, moved, before, during, seconds, cpu)


def wait_until_moved(lab: Cluster) -> dict:
    deadline = time.monotonic() + LIMIT_SECONDS
    while (moves := lab.moves())["places"]:
        if time.monotonic() > deadline:
            raise LabError(f"after {LIMIT_SECONDS} s still {moves}")
        time.sleep(LOOK_SECONDS)
    return moves


def site_of(place: str) -> str:
    return place.partition("/")[0]


def furthest(live: dict[str, int]) -> tuple[str, float]:
    """The disk that holds most above or below the mean of its site, which the spread rule gives its part of every blob,
    however many disks it has."""
    apart = {}
    for place, held in live.items():
        neighbors = [other for name, other in live.items() if site_of(name) == site_of(place)]
        apart[place] = held / (sum(neighbors) / len(neighbors)) - 1
    worst = max(apart, key=lambda place: abs(apart[place]))
    return worst, apart[worst]


def describe(lab, new, held, moved, before, during, seconds, cpu) -> str:
    live = lab.live_bytes()
    own = [place for place in live if place.split("/")[1] == new]
    site = [place for place in live if site_of(place) == site_of(own[0])]
    # The new disks' share of what lay on the others when it began: of all, and of what their site holds and must hold.
    share = sum(held.values()) * len(own) / len(live)
    ideal = sum(held.get(place, 0) for place in site) * len(own) / len(site)
    mean = sum(live[place] for place in site) / len(site)
    done = moved["bytesDone"]
    (old_worst, old_apart), (worst, apart) = furthest(held), furthest(live)
    again = json.loads(lab.admin("rebalance", "--dry-run", "--json").stdout)
    rows = [
        ["shards in all before", f"{number(sum(held.values()) / 2**20)} MiB on {len(held)} disks", ""],
        ["moved", f"{number(done / 2**20)} MiB in {number(seconds)} s, {number(done / 1e6 / seconds)} MB/s; "
                  f"{number(cpu)} s of CPU, with the clients' requests", ""],
        ["the new disks' share of what their site holds", f"{number(ideal / 2**20)} MiB; moved: "
                                                          f"{100 * (done / ideal - 1):+.1f} %",
         is_met(abs(done / ideal - 1) <= MOVED_GOAL)],
        ["their share of all", f"{number(share / 2**20)} MiB; moved: {100 * (done / share - 1):+.1f} %", ""],
        ["furthest from its site's mean before", f"{old_worst}: {100 * old_apart:+.1f} %", ""],
        ["the same at the end", f"{worst}: {100 * apart:+.1f} %", is_met(abs(apart) <= BALANCE_GOAL)],
        ["the new disks at the end, against their site's mean",
         ", ".join(f"{100 * (live[place] / mean - 1):+.1f} %" for place in own), ""],
        ["`rebalance` would move then", f"{number(again['bytes'] / 2**20)} MiB", ""],
    ]
    for work in ("get", "put"):
        old, now = before["operations"][work], during["operations"][work]
        ratio = now["p99"] / old["p99"]
        was, became = (f"{number(figures['p50'])} and {number(figures['p99'])} ms" for figures in (old, now))
        rows.append([f"{work.upper()} p50 and p99 before; while it moves", f"{was}; {became}: {ratio:.2f} ×",
                     is_met(ratio <= LATENCY_GOAL)])
    rows.append(["operations before and meanwhile",
                 f"{number(before['total']['perSecond'])} and {number(during['total']['perSecond'])} a second, "
                 f"{sum(during['errors'].values())} failed", ""])
    title = f"### A node added: {lab.scheme}, {len(lab.nodes())} nodes afterwards"
    return f"{title}\n\n{table(['what', 'found', 'goal'], rows)}"
