"""A cluster that a node joins and leaves, and whose coordinator stands in a site that is lost: see `test_cluster.py`.

All tests share one cluster, in the order in which they stand here; each can be run alone.
"""

import json
import subprocess
import time

import pytest

from support.cluster import (
    STUDIES,
    WHOLE_SECONDS,
    keys_of,
    report,
    three_sites,
)
from support.data import sha256
from support.server import destroy

# The coordinator's.
SITE = "site-1"
# In MiB a second: a cancellation comes in the midst; and what can be watched for some seconds.
SLOW = "2"
FAST = "20"
DONE = "Done: nothing is being moved."
CANCELLED = "Cancelled: what had been moved has gone back."


@pytest.fixture(scope="module")
def shared(fast_folder):
    with three_sites(fast_folder, coordinator_site=SITE, late=1) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    """The shared cluster, whole. A process that ends unasked fails the test, whatever clients saw."""
    shared.restore()
    yield shared
    died = shared.lab.died_unasked()
    assert not died, shared.tails(*died)


@pytest.fixture
def newcomer(cluster):
    """A node that has just joined, whose disks are not in use; it has left again at the end of a test that passes."""
    lab = cluster.lab
    name = next(host.name for host in lab.hosts.values() if host.name in lab.late and host.site == "site-2")
    lab.join(name)
    assert not disks_of(cluster, name)
    return name


def disks_of(cluster, name: str) -> list[dict]:
    return [disk for disk in cluster.status()["disks"] if disk["node"] == name]


def moves(cluster) -> dict:
    return json.loads(cluster.lab.admin("moves", "--json").stdout)


def watched(cluster, *command) -> subprocess.Popen:
    """A command with --watch, as someone who looks on has it."""
    lab = cluster.lab
    words = [lab.binary, "admin", *command, "--watch", "--data", lab.data("coordinator")]
    return subprocess.Popen(lab.command(lab.host("coordinator"), words), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=lab.environment())


def followed(cluster, *command) -> str:
    """What it shows until it ends by itself, which it does when nothing is left to move."""
    looking = watched(cluster, *command)
    try:
        shown, _ = looking.communicate(timeout=WHOLE_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{command} watches for ever: {cluster.lab.admin('moves').stdout}{cluster.tails()}")
    finally:
        looking.kill()
    assert looking.returncode == 0 and shown.rstrip().endswith(DONE), shown
    assert not moves(cluster)["places"], shown
    return shown


def is_level(cluster, site: str) -> bool:
    """Whether each node of a site holds about as much as the others: of a few objects a single disk may by chance hold
    more or less."""
    disks = [disk for disk in cluster.status()["disks"] if disk["site"] == site]
    held = [sum(disk["liveBytes"] for disk in disks if disk["node"] == name) for name in cluster.names(site)]
    mean = sum(held) / len(held)
    shares = ", ".join(f"{100 * each / mean:.0f} %" for each in held)
    report(f"a node joined: nodes of {site} hold {shares} of their mean")
    return all(disk["liveBytes"] for disk in disks) and all(0.5 * mean < each < 1.5 * mean for each in held)


def leave(cluster, name: str):
    """An emptied node goes for good; its place in the lab can be taken anew."""
    lab = cluster.lab
    lab.stop(name)
    deadline = time.monotonic() + WHOLE_SECONDS
    while (done := lab.admin("node", "remove", name, check=False)).returncode != 0:
        assert f"{name} runs" in done.stderr and time.monotonic() < deadline, done
        time.sleep(0.5)
    lab.late.add(name)


def test_a_node_joins_a_filled_cluster_and_leaves_it(cluster, newcomer):
    lab, site = cluster.lab, cluster.lab.host(newcomer).site
    others = [name for name in cluster.names() if name != newcomer]
    told = lab.admin("disk", "add", "--node", newcomer, "--dry-run").stdout
    assert f"Would add: {site}/{newcomer}/" in told and "\nWould move " in told, told
    assert not disks_of(cluster, newcomer)
    place = lab.place(others[0], 1)
    told = lab.admin("disk", "retire", place, "--dry-run").stdout
    assert "Would make " in told and f"! This is refused as things are: disk {place} is served" in told, told
    with cluster.writing(others) as load:
        load.wait_for(20)
        looking = watched(cluster, "disk", "add", "--node", newcomer, "--rate", SLOW)
        deadline = time.monotonic() + WHOLE_SECONDS
        while not (begun := moves(cluster))["shardsDone"] or not begun["places"]:
            assert time.monotonic() < deadline, begun
            time.sleep(0.05)
        lab.admin("moves", "cancel")
        shown, _ = looking.communicate(timeout=WHOLE_SECONDS)
        assert looking.returncode == 1 and "To move: " in shown and shown.rstrip().endswith(CANCELLED), shown
        load.wait_for(load.count + 10)
    cluster.wait_until_whole()
    cluster.read_all()
    assert len(disks_of(cluster, newcomer)) == lab.disks

    # Now to its end.
    assert "To move: " in followed(cluster, "rebalance", "--rate", FAST)
    assert is_level(cluster, site)
    # Places of groups that hold nothing may still be dealt out more evenly.
    left = lab.admin("rebalance", "--dry-run").stdout
    assert "Nothing would be moved" in left or ", 0 B:" in left, left
    cluster.read_all([newcomer])
    assert "being emptied: " in followed(cluster, "node", "drain", newcomer, "--rate", FAST)
    assert not disks_of(cluster, newcomer)
    leave(cluster, newcomer)
    cluster.wait_until_whole()
    cluster.verify()


def scrub(cluster) -> dict[str, dict]:
    report_of_all = json.loads(cluster.lab.admin("scrub", "status", "--json").stdout)
    return {disk["place"]: disk for disk in report_of_all["disks"]}


def test_the_scrub_is_paused_and_told_to_read_now(cluster):
    lab, name = cluster.lab, cluster.names("site-3")[0]
    lab.admin("scrub", "pause")
    assert all(disk["paused"] for disk in scrub(cluster).values())
    # Over a restart, too.
    lab.kill("coordinator")
    lab.start("coordinator")
    cluster.wait_until_serving()
    assert all(disk["paused"] for disk in scrub(cluster).values())
    refused = lab.admin("scrub", "now", "--node", name, check=False)
    assert refused.returncode != 0 and "cairn admin scrub resume" in refused.stderr, refused
    lab.admin("scrub", "resume")
    assert not any(disk["paused"] for disk in scrub(cluster).values())

    began = time.monotonic()
    shown = lab.admin("scrub", "now", "--node", name, "--watch").stdout
    assert shown.startswith("Reading begun: ") and "Done: what was asked for is read" in shown, shown
    while True:
        # Each disk of the node was read through since then.
        disks = [disk for place, disk in scrub(cluster).items() if f"/{name}/" in place]
        elapsed = time.monotonic() - began
        if all(disk["oldestUnverified"] <= elapsed + 1 and not disk["active"] for disk in disks):
            break
        assert elapsed < WHOLE_SECONDS, disks
        time.sleep(0.2)
    assert len(disks) == 2 and not any(disk["badShards"] or disk["unreadShards"] for disk in disks), disks
    cluster.wait_until_whole()


def test_a_node_in_maintenance(cluster):
    lab, name = cluster.lab, cluster.names("site-3")[1]
    others = [other for other in cluster.names() if other != name]
    said = lab.admin("node", "maintenance", "begin", name, "--for", "10m").stdout
    assert "BEARABLE" in said and f"{name} is in maintenance for another" in said, said
    assert name in lab.admin("node", "maintenance").stdout
    lab.stop(name)
    cluster.writes_go_on(others)
    cluster.lacks_something()
    lab.start(name)
    assert "No node is in maintenance" in lab.admin("node", "maintenance", "end", name).stdout
    report(f"a node back from maintenance: whole after {cluster.wait_until_whole():.1f} s")
    cluster.read_all([name])


def test_the_site_of_the_coordinator_and_two_disks_elsewhere(cluster):
    """The last test: the coordinator is elsewhere from here on. It takes over while clients go on."""
    lab = cluster.lab
    others = cluster.names("site-2", "site-3")
    disks = [(cluster.names("site-2")[0], 1), (cluster.names("site-3")[1], 2)]
    client = cluster.client(others[0])
    for key in ("replaced", "deleted"):
        client.put_object(Bucket=STUDIES, Key=key, Body=b"before")
    with cluster.writing(others) as load:
        load.wait_for(20)
        client.put_object(Bucket=STUDIES, Key="replaced", Body=b"after")
        cluster.digests["replaced"] = sha256(b"after")
        client.delete_object(Bucket=STUDIES, Key="deleted")
        lab.lose_site(SITE)
        assert not lab.is_alive("coordinator")
        began = time.monotonic()
        lab.take_over(lab.kit)
        cluster.writes_go_on(others)
        report(f"the coordinator's site lost: all wrote {time.monotonic() - began:.1f} s after a take-over began")
        # Those whose requests hung wait for their own time limits.
        load.wait_for_all_since(began, WHOLE_SECONDS)
    # A write may have left a slow disk behind: with just k shards left none could be missing beside.
    cluster.wait_until_whole_elsewhere(SITE)
    for name, number in disks:
        destroy(lab.disk(name, number))
    cluster.verify(others)
    assert "deleted" not in keys_of(client, STUDIES)
    cluster.writes_go_on(others)

    lab.return_site(SITE)
    for name, number in disks:
        cluster.replace(name, number)
    report(f"the coordinator's site back and two disks replaced: whole after {cluster.wait_until_whole():.1f} s")
    cluster.verify()
    cluster.writes_go_on(cluster.names())
    assert "deleted" not in keys_of(client, STUDIES)
