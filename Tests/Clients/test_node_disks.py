"""The disks of a `cairn node` are known by what stands on them, and not by the order of its `--disk` options. A cluster
of three nodes on loopback ports; one of them is started again with its disks in other orders, at other paths, with one
left out, and with what is none of its own."""

import shutil
import time

import pytest

from support.cluster import Cluster, Lab
from support.server import ACCESS_KEY, SECRET_KEY, START_SECONDS, binary

NODE = "node-1"
DISKS = 3


@pytest.fixture(scope="module")
def cluster(fast_folder):
    """The cluster of all tests here, which go on from each other."""
    lab = Lab(fast_folder / "lab", sites=1, nodes=3, disks=DISKS, scheme="rs-3-3", binary=binary(),
              keys=(ACCESS_KEY, SECRET_KEY), is_networked=False)
    cluster = Cluster(lab)
    try:
        lab.up()
        cluster.fill()
        cluster.wait_until_whole()
        yield cluster
        lab.stop_all()
    finally:
        lab.down()


def options(paths) -> list:
    return [part for path in paths for part in ("--disk", path)]


def start(cluster, *paths):
    """The node anew, with these disks in this order."""
    if cluster.lab.is_alive(NODE):
        cluster.lab.stop(NODE)
    cluster.lab.launch(NODE, options(paths))
    cluster.lab.process(NODE).wait_for("ready: ", START_SECONDS)


def disks(cluster) -> dict[str, tuple[str, str]]:
    """Id and path of each disk of the node, by slot."""
    return {disk["slot"]: (disk["id"], disk["path"]) for disk in cluster.status()["disks"] if disk["node"] == NODE}


def test_another_order_other_paths_and_a_drained_disk_left_out(cluster):
    first, second, third = (cluster.lab.disk(NODE, number) for number in range(1, DISKS + 1))
    before = disks(cluster)
    assert list(before) == ["disk-1", "disk-2", "disk-3"]

    start(cluster, third, first, second)
    cluster.wait_until_whole()
    assert disks(cluster) == before
    cluster.read_all([NODE])

    cluster.lab.stop(NODE)
    moved = first.with_name("moved")
    first.rename(moved)
    start(cluster, second, third, moved)
    cluster.wait_until_whole()
    assert disks(cluster) == {**before, "disk-1": (before["disk-1"][0], str(moved))}

    cluster.lab.admin("disk", "drain", cluster.lab.place(NODE, 1))
    cluster.wait_until_whole(given_up=1)
    start(cluster, third, second)
    cluster.wait_until_whole(given_up=1)
    assert disks(cluster) == {slot: before[slot] for slot in ("disk-2", "disk-3")}
    cluster.read_all([NODE])


def test_an_empty_disk_stands_in_for_the_one_that_broke(cluster):
    """Also where a slot before it is free: the first was drained."""
    before = disks(cluster)
    second, third = (cluster.lab.disk(NODE, number) for number in (2, 3))
    cluster.lab.stop(NODE)
    shutil.rmtree(third)
    third.mkdir()
    start(cluster, third, second)
    cluster.replace(NODE, 3)
    cluster.wait_until_whole(given_up=1)
    after = disks(cluster)
    assert after["disk-2"] == before["disk-2"]
    assert after["disk-3"][1] == str(third) and after["disk-3"][0] != before["disk-3"][0]


def wait_until_served(cluster, seconds=START_SECONDS):
    """All disks of the node in use, whatever else is away."""
    deadline = time.monotonic() + seconds
    while states := [disk for disk in cluster.status()["disks"] if disk["node"] == NODE and disk["state"] != "healthy"]:
        assert time.monotonic() < deadline, states
        time.sleep(0.2)


def wait_for_unused(cluster, path, seconds=START_SECONDS) -> list[dict]:
    """What the status says of a disk that is not in use: the coordinator hears of it with a look at the node."""
    deadline = time.monotonic() + seconds
    while not (found := [disk for disk in cluster.status()["unusedDisks"] if disk["path"] == path]):
        assert time.monotonic() < deadline, cluster.status()["unusedDisks"]
        time.sleep(0.2)
    return found


def test_a_copy_is_refused_and_a_stranger_takes_no_slot(cluster, folder):
    before = disks(cluster)
    second, third = (cluster.lab.disk(NODE, number) for number in (2, 3))
    cluster.lab.stop(NODE)
    # Whose disk it is, which is all that a start looks at.
    shutil.copy(second / "disk", folder / "disk")
    data = cluster.lab.data(NODE)
    refused = cluster.lab.run("node", "--data", data, *options([folder, second, third]), host=NODE, check=False)
    assert refused.returncode != 0
    assert f"--disk {folder} and --disk {second} hold the same disk: one is a copy" in refused.stderr, refused

    # A disk of another node of this cluster, which is missed there meanwhile.
    neighbour = "node-2"
    home = cluster.lab.disk(neighbour, 2)
    stranger = home.with_name("stranger")
    cluster.lab.stop(neighbour)
    home.rename(stranger)
    start(cluster, stranger, third, second)
    cluster.wait_for_words(NODE, str(stranger), f"it was served by node {neighbour} last")
    wait_until_served(cluster)
    assert disks(cluster) == before
    [unused] = wait_for_unused(cluster, str(stranger))
    assert (unused["node"], unused["kind"]) == (NODE, "foreign") and f"site-1/{neighbour}/disk-2" in unused["reason"]
    assert f"({stranger}) is not in use" in cluster.lab.admin("doctor", check=False).stdout
    cluster.wait_for_words("coordinator", f"path={stranger}")
    cluster.lab.stop(NODE)
    stranger.rename(home)
    start(cluster, second, third)
    cluster.lab.start(neighbour)
    cluster.wait_until_whole(given_up=1)
    cluster.read_all()


def test_a_node_without_what_it_remembers_keeps_its_name_and_site(cluster):
    """Its certificate and its disks say both; with another site one machine would be two failure domains."""
    lab, host = cluster.lab, cluster.lab.host(NODE)
    before = disks(cluster)
    paths = [path for _, path in before.values()]
    lab.stop(NODE)
    remembered = lab.data(NODE) / "node.json"
    remembered.unlink()

    def told(name, site, *given):
        addresses = ["--join", lab.coordinator.listen, "--listen", host.listen, "--s3", host.s3]
        return ["--name", name, "--site", site, *addresses, *given]

    def refused(*arguments):
        result = lab.run("node", "--data", lab.data(NODE), *told(*arguments), host=NODE, check=False)
        assert result.returncode != 0 and "joined:" not in result.stdout, result
        return result.stderr

    # Also where the disks are folders beside it, and not named.
    for given in (options(paths), ["--disks", DISKS]):
        assert f"the disks of node {NODE} count in site site-1" in refused(NODE, "site-9", *given)
    assert f"give --name {NODE}" in refused("node-9", "site-1", *options(paths))
    assert not remembered.exists()

    lab.launch(NODE, told(NODE, "site-1", *options(paths)))
    lab.process(NODE).wait_for("ready: ", START_SECONDS)
    cluster.wait_until_whole(given_up=1)
    assert disks(cluster) == before
