"""Disks destroyed and bytes flipped under a server that goes on serving."""

import os
import pathlib
import random
import shutil
import time

import pytest
from botocore.exceptions import ClientError

from support.background import Background
from support.data import KIB, MIB, noise, sha256, text
from support.server import WHOLE_SECONDS, destroy, flip_bytes, lacks

BUCKET = "archive"
SIZES = [0, 1, 1000, 64 * KIB, 513 * KIB, 4 * MIB, 4 * MIB + 1, 9 * MIB]


def fill(server, count=24) -> dict[str, str]:
    """Stores objects of many sizes, a multipart one among them, all of them whole; gives their digests."""
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    digests = {}
    for number in range(count):
        size = SIZES[number % len(SIZES)]
        data = noise(size, number) if number % 3 else text(size, number)
        client.put_object(Bucket=BUCKET, Key=f"study/{number:03}", Body=data)
        digests[f"study/{number:03}"] = sha256(data)
    (server.data.parent / "large").write_bytes(noise(80 * MIB, "large"))
    client.upload_file(str(server.data.parent / "large"), BUCKET, "large")
    digests["large"] = sha256(noise(80 * MIB, "large"))
    server.wait_until_whole()
    return digests


def read_all(server, digests, is_listed=True):
    client = server.client(timeout=60)
    for key, digest in digests.items():
        answer = client.get_object(Bucket=BUCKET, Key=key)
        assert sha256(answer["Body"].read()) == digest, key
    if not is_listed:
        return
    listed = [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
              for item in page.get("Contents", [])]
    assert listed == sorted(digests)


class Reader(Background):
    """Reads everything again and again."""

    patience = WHOLE_SECONDS

    def __init__(self, server, digests):
        super().__init__()
        self.server, self.digests, self.rounds = server, digests, 0

    def step(self):
        read_all(self.server, self.digests, is_listed=False)
        self.rounds += 1


def test_two_disks_destroyed_while_serving_then_replaced(servers):
    server = servers().start()
    disks = server.disks()
    assert len(disks) == 6
    digests = fill(server)
    lost = [disks[1], disks[4]]
    with Reader(server, dict(digests)):
        destroy(lost[0])
        # One gone: writes go on.
        client = server.client()
        for number in range(8):
            client.put_object(Bucket=BUCKET, Key=f"with-one-gone/{number}", Body=noise(300 * KIB, number))
        destroy(lost[1])
    for number in range(8):
        digests[f"with-one-gone/{number}"] = sha256(noise(300 * KIB, number))
    read_all(server, digests)

    # Two gone: four shards of six are no durable write, and the answer says why.
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="refused", Body=noise(300 * KIB, "refused"))
    answer = error.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert any(word in answer["Error"]["Message"].lower() for word in ("disk", "shard")), answer["Error"]
    client.delete_object(Bucket=BUCKET, Key="study/000")
    del digests["study/000"]
    read_all(server, digests)

    for disk in lost:
        server.replace(disk)
    server.wait_until_whole()
    read_all(server, digests)
    client.put_object(Bucket=BUCKET, Key="again", Body=b"writes go on")
    digests["again"] = sha256(b"writes go on")

    # The replaced disks carry their share: any two others may go now.
    server.wait_until_whole()
    destroy(disks[0])
    destroy(disks[5])
    read_all(server, digests)
    server.stop()
    server.start()
    read_all(server, digests)


def test_a_pause_of_repair_outlives_a_kill_and_spares_what_has_no_shard_to_spare(servers):
    server = servers().start()
    disks = server.disks()
    digests = fill(server)
    said = server.admin("repair", "pause", "--for", "2h").stdout
    assert said.startswith("Repair is paused for another 2 h"), said
    destroy(disks[1])
    server.replace(disks[1])
    missing = server.status()["missingShards"]
    assert missing
    server.kill()
    server.start()
    time.sleep(3)
    status = server.status()
    # A checkpoint that gave way to a newer one is not missed any more.
    assert status["missingShards"] > missing // 2 and status["repair"]["paused"], status
    assert 0 < status["repair"]["pauseSecondsLeft"] <= 7200
    assert server.metric("cairn_repair_paused") == 1
    assert server.admin("status").stdout.startswith("REPAIR PAUSED: ")
    doctor = server.admin("doctor", check=False)
    assert doctor.returncode == 1 and "cairn admin repair resume" in doctor.stdout, doctor
    read_all(server, digests)

    # With a second disk gone there is nothing to spare: that is repaired, pause or not.
    destroy(disks[4])
    server.replace(disks[4])
    server.wait_until_whole()
    assert server.status()["repair"]["paused"]
    read_all(server, digests)

    # Ended, the next disk is made anew.
    assert server.admin("repair", "resume").stdout.startswith("Going on.")
    destroy(disks[0])
    server.replace(disks[0])
    server.wait_until_whole()
    assert server.metric("cairn_repair_paused") == 0
    log = server.log.read_text()
    assert "7200 s" in log and "repair was paused" in log and "repair was resumed" in log, server.tail()
    read_all(server, digests)


def test_two_disks_destroyed_and_a_third_damaged_with_three_parities(servers):
    server = servers("--scheme", "rs-3-3").start()
    disks = server.disks()
    digests = fill(server)
    destroy(disks[0])
    destroy(disks[3])
    assert flip_bytes(disks[5], 2000, random.Random(1)) == 2000
    read_all(server, digests)
    for disk in (disks[0], disks[3]):
        server.replace(disk)
    server.wait_until_whole()
    read_all(server, digests)


def test_a_disk_moved_away_and_back_while_serving(servers):
    server = servers().start()
    disks = server.disks()
    digests = fill(server)
    away = pathlib.Path(str(disks[2]) + "-away")
    os.rename(disks[2], away)
    deadline = time.monotonic() + WHOLE_SECONDS
    while all(disk["state"] == "healthy" for disk in server.status()["disks"]):
        assert time.monotonic() < deadline, "a disk is gone from its place and the status misses nothing"
        time.sleep(0.2)
    server.client().put_object(Bucket=BUCKET, Key="meanwhile", Body=b"written without it")
    digests["meanwhile"] = sha256(b"written without it")
    read_all(server, digests)

    os.rename(away, disks[2])
    server.wait_until_whole()
    for disk in (disks[0], disks[5]):
        destroy(disk)
    read_all(server, digests)


def test_all_but_one_disk_put_back_as_they_were(servers):
    """With the database, as a snapshot of a machine does. The store goes on from there; what the remaining disk has of
    the time that was forgotten is no part of what is written since."""
    server = servers().start()
    digests = fill(server)
    server.stop()
    old, remaining = server.data.with_name("old"), server.data.with_name("remaining")
    shutil.copytree(server.data, old)
    client = server.start().client()
    for number, size in enumerate(SIZES):
        client.put_object(Bucket=BUCKET, Key=f"forgotten/{number}", Body=noise(size, f"forgotten {number}"))
    server.stop()
    disk = server.disks()[5]
    os.rename(disk, remaining)
    shutil.rmtree(server.data)
    shutil.copytree(old, server.data)
    shutil.rmtree(disk)

    client = server.start().client()
    for number, size in enumerate(SIZES):
        data = noise(size, f"since {number}")
        client.put_object(Bucket=BUCKET, Key=f"since/{number}", Body=data)
        digests[f"since/{number}"] = sha256(data)
    read_all(server, digests)
    os.rename(remaining, disk)
    server.wait_until_whole()
    read_all(server, digests)
    for other in server.disks()[:2]:
        destroy(other)
    read_all(server, digests)


def test_flipped_bytes_are_never_served(servers):
    server = servers().start()
    digests = fill(server)
    disks = server.disks()
    for seed, disk in enumerate(disks[:2]):
        assert flip_bytes(disk, 1000, random.Random(seed)) == 1000
    read_all(server, digests)
    server.stop()
    server.start()
    read_all(server, digests)


def test_more_losses_than_parities_are_refused_and_never_wrong(servers):
    server = servers().start()
    digests = fill(server)
    disks = server.disks()
    for disk in disks[:3]:
        destroy(disk)
    client = server.client(timeout=60)
    for key, digest in digests.items():
        try:
            got = sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        except Exception:
            continue  # The connection was cut in the middle of a body: refused, too.
        else:
            assert got == digest, key
    assert server.is_alive()
    deadline = time.monotonic() + WHOLE_SECONDS
    while not lacks(server.status()):
        assert time.monotonic() < deadline, "three disks are gone and the status misses nothing"
        time.sleep(0.2)
