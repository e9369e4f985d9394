"""One node or one disk killed, stopped or slow: what clients notice of it."""

import contextlib
import sys
import time

from lab_support import CannotTest

from . import disks
from .load import Foreground
from .stores import Cluster
from .tables import cell, is_met, table

# The goal: a p99 within twice the healthy one and so many milliseconds more.
FACTOR, ALLOWANCE = 2, 50
# Under load before the fault strikes; what is in progress at that moment counts.
LEAD_SECONDS = 2
IMAGE_BYTES = 8 << 30
# Of a core, in a hundredth; of a line; of a disk, in operations a second.
STARVED, LINE, SLOW_DISK, STOPPED_DISK = 10, "20mbit", 25, 1


class Scene:
    """A lab of which one node, and one disk of it, may be treated badly."""

    def __init__(self, options):
        self.lab = Cluster(options.folder, options.sites, options.nodes, options.disks, scheme=options.scheme,
                           binary=options.binary)
        self.victim = options.victim
        self.disk = disks.LoopDisk(self.lab.folder.with_suffix(".image"), self.lab.disk(self.victim, 1), IMAGE_BYTES)

    def __enter__(self) -> "Scene":
        try:
            self.lab.up()
        except BaseException:
            self.disk.remove()
            raise
        return self

    def __exit__(self, *_):
        try:
            # Data under a mount point cannot be removed: the disk goes first.
            self.lab.end_all()
        finally:
            self.disk.remove()
            self.lab.down()

    @property
    def pid(self) -> int:
        return self.lab.process(self.victim).pid


@contextlib.contextmanager
def node_killed(scene):
    scene.lab.kill(scene.victim)
    yield
    scene.lab.start(scene.victim)


@contextlib.contextmanager
def node_paused(scene):
    scene.lab.pause(scene.victim)
    try:
        yield
    finally:
        scene.lab.resume(scene.victim)


@contextlib.contextmanager
def node_starved(scene):
    group = disks.Group("cpu")
    try:
        group.write("cpu.cfs_period_us", "100000")
        group.write("cpu.cfs_quota_us", str(1000 * STARVED))
        group.take(scene.pid)
        yield
    finally:
        group.remove()


@contextlib.contextmanager
def node_on_a_slow_line(scene):
    scene.lab.slow(scene.victim, LINE)
    yield
    scene.lab.heal()


@contextlib.contextmanager
def disk_killed(scene):
    disks.destroy(scene.disk.place)
    yield
    scene.lab.wait_for("missed", lambda status: any(disk["state"] != "healthy" for disk in status["disks"]))
    scene.lab.admin("disk", "replace", scene.lab.place(scene.victim, 1))


@contextlib.contextmanager
def disk_paused(scene):
    with bounded(scene, STOPPED_DISK):
        scene.disk.freeze()
        try:
            yield
        finally:
            scene.disk.thaw()


@contextlib.contextmanager
def disk_slow(scene):
    with bounded(scene, SLOW_DISK):
        yield


@contextlib.contextmanager
def bounded(scene, operations: int):
    try:
        scene.disk.bound(scene.pid, operations)
        yield
    finally:
        scene.disk.unbound()


FAULTS = {
    "node-killed": (node_killed, "node killed"),
    "node-paused": (node_paused, "node paused (SIGSTOP)"),
    "node-starved": (node_starved, f"node slow: {STARVED} % of a core"),
    "node-line": (node_on_a_slow_line, f"node slow: a line of {LINE}"),
    "disk-killed": (disk_killed, "disk gone"),
    "disk-paused": (disk_paused, "disk paused (frozen, one read a second)"),
    "disk-slow": (disk_slow, f"disk slow: {SLOW_DISK} reads and writes a second"),
}


def run(options) -> str:
    with Scene(options) as scene:
        foreground = Foreground(scene.lab, options)
        scene.lab.wait_until_whole()
        healthy = foreground.start(options.seconds).finish()
        rows = [row("healthy", healthy, healthy, "")]
        for name in options.faults:
            fault, text = FAULTS[name]
            try:
                rows.append(row(text, strike(scene, foreground, fault, options.seconds), healthy))
            except CannotTest as error:
                rows.append([text, f"not tested: {error}", *[""] * 7])
            print(f"{text}: {', '.join(map(cell, rows[-1][1:]))}", file=sys.stderr, flush=True)
            scene.lab.wait_until_whole()
    clients = scene.lab.nodes()[0].name
    title = f"### {scene.victim} or its first disk out of order, clients at {clients}: {scene.lab.scheme}"
    head = ["state", "GET p50 ms", "p99", "max", "PUT p50 ms", "p99", "max", "operations, failed", "goal"]
    return f"{title}\n\n{table(head, rows)}"


def strike(scene, foreground, fault, seconds: float) -> dict:
    """What clients got from just before the fault until some time after it."""
    load = foreground.start(seconds)
    time.sleep(LEAD_SECONDS)
    try:
        with fault(scene):
            return load.finish()
    except CannotTest:
        load.interrupt()
        raise


def row(text: str, found: dict, healthy: dict, goal: str | None = None) -> list:
    cells, is_fine = [text], not found["errors"]
    for work in ("get", "put"):
        figures = found["operations"].get(work)
        if figures is None:
            return [text, *["-"] * 6, f"all of {sum(found['errors'].values())} failed", is_met(False)]
        cells += [figures["p50"], figures["p99"], figures["max"]]
        is_fine &= figures["p99"] <= FACTOR * healthy["operations"][work]["p99"] + ALLOWANCE
    failed = sum(found["errors"].values())
    return [*cells, f"{found['total']['count']}, {failed}", is_met(is_fine) if goal is None else goal]
