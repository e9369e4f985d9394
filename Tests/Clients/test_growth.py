"""A store of one server that grows and shrinks while clients use it."""

import json
import re
import time

from support.server import WHOLE_SECONDS, destroy, wait_for

from test_disks_lost import Reader, fill, read_all

NODE = "node-1"


def disk_arguments(folder, count):
    return [part for number in range(1, count + 1) for part in ("--disk", str(folder / f"disk-{number}"))]


def moves(server) -> dict:
    return json.loads(server.admin("moves", "--json").stdout)


def wait_until_moved(server, seconds=WHOLE_SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        report = moves(server)
        # Nothing may ever lack a shard because it is moved.
        assert server.status()["missingShards"] == 0
        if report["places"] == 0 and not report["draining"]:
            return
        assert time.monotonic() < deadline, f"after {seconds} s still {report}\n{server.tail()}"
        time.sleep(0.2)


def used(server) -> dict[str, int]:
    return {disk["slot"]: disk["liveBytes"] for disk in server.status()["disks"]}


def plan_two_disks(server, like) -> dict:
    """What two disks more on the node would change, in words and in numbers."""
    size = f"{like['capacity'] // 10**6}MB"
    question = ("plan", "add", "--site", like["site"], "--node", NODE, "--disks", "2", "--size", size)
    text = server.admin(*question).stdout
    assert text.startswith("MORE ROOM: ") and "Nothing was changed." in text, text
    assert "any 2 disks; no node; no site, as now" in text, text
    plan = json.loads(server.admin(*question, "--json").stdout)
    assert plan["bytes"] > 0 and plan["capacityAfter"] > plan["capacityBefore"]
    assert not plan["isNewNode"] and len(plan["disks"]) == 8
    refused = server.admin(*question[:3], "elsewhere", *question[4:], check=False)
    assert refused.returncode == 1 and "stands in site" in refused.stderr, refused
    return plan


def test_disks_added_one_drained_and_two_lost(servers, tmp_path):
    folder = tmp_path / "disks"
    for number in range(1, 9):
        (folder / f"disk-{number}").mkdir(parents=True)
    server = servers(*disk_arguments(folder, 6)).start()
    digests = fill(server, 60)
    server.stop()

    # Two more disks: they are known, and nothing is on them until they are added.
    server.arguments = disk_arguments(folder, 8)
    server.start()
    disks = server.status()["disks"]
    assert len(disks) == 6
    planned = plan_two_disks(server, disks[0])
    with Reader(server, digests) as reader:
        said = server.admin("disk", "add", "--node", NODE).stdout
        assert "disk-7" in said and "disk-8" in said, said
        wait_until_moved(server)
        # What was moved is what the plan said, and so is where it went.
        assert abs(moves(server)["bytesDone"] - planned["bytes"]) < 0.3 * planned["bytes"], (moves(server), planned)
        reader.rounds = 0
        server.admin("scrub")
        server.wait_until_whole()
    assert reader.rounds >= 1
    live = used(server)
    assert len(live) == 8
    assert min(live.values()) > 0.5 * sum(live.values()) / 8, live
    refused = server.admin("disk", "add", "--node", NODE, check=False)
    assert refused.returncode == 1 and "no empty disk" in refused.stderr, refused
    again = server.admin("rebalance", "--dry-run").stdout
    assert "Nothing would be moved" in again, again

    # A kill in the middle of a drain: it goes on by itself.
    plan = json.loads(server.admin("disk", "drain", "disk-2", "--dry-run", "--json").stdout)
    assert plan["bytes"] > 0 and len(server.status()["disks"]) == 8
    server.admin("disk", "drain", "disk-2", "--rate", "20")
    time.sleep(0.3)
    server.kill()
    server.start()
    wait_until_moved(server)
    assert "disk-2" not in used(server)
    server.wait_until_whole()
    destroy(folder / "disk-2")
    read_all(server, digests)

    # Put back: what is half moved returns.
    server.admin("disk", "drain", "disk-3", "--rate", "1")
    server.admin("moves", "pause")
    assert moves(server)["isPaused"]
    server.admin("moves", "cancel")
    server.admin("moves", "resume")
    wait_until_moved(server)
    assert "disk-3" in used(server)
    refused = server.admin("moves", "cancel", check=False)
    assert refused.returncode == 1 and "no shards are being moved" in refused.stderr, refused

    # The promise of rs-4-2 holds on what is left.
    for number in (1, 8):
        destroy(folder / f"disk-{number}")
    read_all(server, digests)


def test_a_disk_that_stays_away_is_out_and_takes_its_share_when_it_is_back(servers, tmp_path):
    folder = tmp_path / "disks"
    for number in range(1, 9):
        (folder / f"disk-{number}").mkdir(parents=True)
    server = servers(*disk_arguments(folder, 8), "--out-after", "1s").start()
    digests = fill(server, 40)
    away = folder / "disk-3"
    away.rename(tmp_path / "pulled")
    deadline = time.monotonic() + WHOLE_SECONDS
    while "it holds nothing that is not elsewhere by now" not in server.admin("doctor", check=False).stdout:
        assert time.monotonic() < deadline, server.admin("doctor", check=False).stdout + server.tail()
        time.sleep(0.5)
    while server.status()["missingShards"]:
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.2)

    # Back in its slot, with what it had: surplus by now.
    (tmp_path / "pulled").rename(away)
    while "without a share: " not in server.admin("doctor", check=False).stdout:
        assert time.monotonic() < deadline, server.admin("doctor", check=False).stdout + server.tail()
        time.sleep(0.5)
    server.admin("rebalance")
    wait_until_moved(server)
    server.admin("scrub")
    server.wait_until_whole()
    for number in (1, 8):
        destroy(folder / f"disk-{number}")
    read_all(server, digests)


def test_a_drain_after_which_less_is_survived_is_refused_without_force(servers):
    # Three nodes with 3, 2 and 2 disks: two shards of rs-4-2 on each, so any one may go. With one disk on the last,
    # three have to be on the first.
    server = servers("--nodes", "3", "--disks", "7").start()
    digests = fill(server, 16)
    drain = ("disk", "drain", "node-3/disk-3")
    told = server.admin(*drain, "--dry-run").stdout
    now, then = "any 2 disks, or any 1 node; no site", "any 2 disks; no node; no site"
    assert f"! STANDARD survives then {then} (now: {now})." in told, told
    assert "This is refused without --force" in told, told
    refused = server.admin(*drain, check=False)
    assert refused.returncode == 1 and f"STANDARD survives then {then} (now: {now})" in refused.stderr, refused
    assert "add disks first" in refused.stderr.lower() and "--force" in refused.stderr, refused
    # What is refused, and what is only asked, changes nothing.
    report = moves(server)
    assert report["places"] == 0 and not report["draining"], report
    assert "disk-3" in used(server)

    # A disk of the node with three costs nothing, and needs no force.
    told = server.admin("disk", "drain", "node-1/disk-1", "--dry-run").stdout
    assert "Every class survives then what it survives now." in told, told

    server.admin(*drain, "--force")
    wait_until_moved(server)
    assert "disk-3" not in used(server)
    server.wait_until_whole()
    read_all(server, digests)


UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def bytes_of(told: str) -> int:
    """What is moved, or made anew, by what is said."""
    number, unit = re.search(r"places?(?: anew on [^,]*)?, ([0-9.]+) (k?B|MB|GB)", told).groups()
    return round(float(number) * UNITS[unit])


def state(server, slot: str) -> str:
    return next(disk["state"] for disk in server.status()["disks"] if disk["slot"] == slot)


def picture(server) -> list:
    """What no question may change."""
    report = moves(server)
    disks = [(disk["id"], disk["slot"], disk["state"]) for disk in server.status()["disks"]]
    return [disks, report["places"], report["draining"]]


def test_disks_added_replaced_and_retired_are_told_before(servers, tmp_path):
    folder = tmp_path / "disks"
    for number in range(1, 9):
        (folder / f"disk-{number}").mkdir(parents=True)
    server = servers(*disk_arguments(folder, 7)).start()
    digests = fill(server, 24)
    server.stop()
    server.arguments = disk_arguments(folder, 8)
    server.start()
    server.wait_until_whole()

    # A disk added: told, not formatted; and then it is as it was told.
    before = picture(server)
    told = server.admin("disk", "add", "--node", NODE, "--dry-run").stdout
    assert told.startswith(f"Would add: site-1/{NODE}/disk-8; taken for as large as") and "\nWould move " in told, told
    assert "or more at the rate allowed" in told and "Nothing lacks a shard meanwhile" in told, told
    assert "Every class survives then what it survives now." in told and told.endswith("Nothing was changed.\n"), told
    assert picture(server) == before and not list((folder / "disk-8").iterdir())
    refused = server.admin("disk", "add", "--node", NODE, "--slot", "disk-7", "--dry-run", check=False)
    assert refused.returncode == 1 and "no empty disk" in refused.stderr, refused
    said = server.admin("disk", "add", "--node", NODE).stdout
    assert abs(bytes_of(said) - bytes_of(told)) < 0.3 * bytes_of(said), (said, told)
    wait_until_moved(server)
    server.wait_until_whole()

    # A disk that works is to be pulled first; what is at risk without it is told before.
    held = used(server)["disk-2"]
    told = server.admin("disk", "replace", "disk-2", "--dry-run").stdout
    assert "! This is refused as things are: disk site-1/node-1/disk-2 is served and healthy" in told, told
    assert "STANDARD survives meanwhile any 1 disk; no node; no site (then: any 2 disks; no" in told, told
    assert 0.5 * held < bytes_of(told) < 1.5 * held, (told, held)
    destroy(folder / "disk-2")
    wait_for(lambda: state(server, "disk-2") != "healthy")
    told = server.admin("disk", "replace", "disk-2", "--dry-run").stdout
    assert "! This is refused as things are: its slot: " in told, told
    (folder / "disk-2").mkdir()
    before = picture(server)
    told = server.admin("disk", "replace", "disk-2", "--dry-run").stdout
    assert f" anew on the empty disk at {folder}/disk-2, " in told and "or more at 30 MB/s a disk" in told, told
    assert "What lies there lacks a shard until that is made anew" in told and "refused" not in told, told
    assert picture(server) == before and not list((folder / "disk-2").iterdir())
    plan = json.loads(server.admin("disk", "replace", "disk-2", "--dry-run", "--json").stdout)
    assert plan["isReplaced"] and plan["bytes"] > 0 and "refusal" not in plan, plan
    (folder / "disk-2" / "patients").mkdir()
    told = server.admin("disk", "replace", "disk-2", "--dry-run").stdout
    assert "! This is refused as things are: the new disk is not empty: patients. " in told, told
    assert "the empty disk" not in told, told
    (folder / "disk-2" / "patients").rmdir()
    server.admin("disk", "replace", "disk-2")
    server.wait_until_whole()

    # Given up: the seven others take its place.
    destroy(folder / "disk-3")
    wait_for(lambda: state(server, "disk-3") != "healthy")
    before = picture(server)
    told = server.admin("disk", "retire", "disk-3", "--dry-run").stdout
    assert " anew on other disks, " in told and "The disk would be in use no more." in told, told
    assert bytes_of(told) > 0 and "refused" not in told and picture(server) == before, told
    said = server.admin("disk", "retire", "disk-3").stdout
    places = re.search(r"Would make (\d+) places", told).group(1)
    assert f" in {places} groups." in said and "It is in use no more." in said, (told, said)
    server.wait_until_whole()
    read_all(server, digests)
