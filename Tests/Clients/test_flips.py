"""Bytes of shards and segments flipped on the disks: never served, each one found by verification and repaired."""

import os
import random
import time
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from support.data import KIB, MIB, noise, sha256, text
from support.segments import (
    FOOTER_HEADER,
    LEAF,
    LOCATOR,
    SEGMENT_HEADER,
    SHARD_HEADER,
    Record,
    flip,
    footer,
    records,
    segment_paths,
)
from support.server import WHOLE_SECONDS, destroy

BUCKET = "archive"
# A shard of the first goes beside others into packed segments, one of the second into an aligned segment.
SMALL, LARGE = 3000, 1200 * KIB
# How often a byte of each shard of two disks is flipped, nearly two hundred at a time.
ROUNDS = int(os.environ.get("CAIRN_TEST_FLIP_ROUNDS", "10"))


def fill(server, sizes) -> dict[str, str]:
    """One object after the other, so that each small one is a blob of its own; all of them whole."""
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    digests = {}
    for number, size in enumerate(sizes):
        data = text(size, number) if number % 4 == 3 else noise(size, number)
        client.put_object(Bucket=BUCKET, Key=f"{number:04}", Body=data)
        digests[f"{number:04}"] = sha256(data)
    server.wait_until_whole()
    return digests


def verify(server, digests):
    client = server.client(timeout=60)
    for key, digest in digests.items():
        assert sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key


def scrub(server, seconds=WHOLE_SECONDS):
    """A whole verification, asked for now."""
    server.admin("scrub")
    deadline = time.monotonic() + seconds
    while server.status()["verification"]["active"]:
        assert time.monotonic() < deadline, f"the verification has not ended within {seconds} s"
        time.sleep(0.2)


def repaired_so_far(server) -> int:
    """By the process that will find what is flipped now: one that is still to be started has repaired nothing."""
    return server.metric("cairn_repaired_shards_total") if server.is_alive() else 0


def all_is_found_and_repaired(server, digests, flipped: int, before: int):
    """Verification finds every shard that was flipped and repair puts it back, as it had done with so many `before` the
    first flip; then the disks hold nothing bad."""
    verify(server, digests)
    scrub(server)
    server.wait_until_whole()
    assert server.metric("cairn_repaired_shards_total") - before >= flipped
    verify(server, digests)
    scrub(server)
    assert server.metric("cairn_bad_shards") == 0
    server.wait_until_whole()


@pytest.mark.long
@pytest.mark.parametrize("state", ["running", "stopped", "killed"])
def test_every_byte_of_a_header_is_found_and_repaired(servers, state):
    """Byte n of the header of the n-th record, on two disks at a time and in both kinds of segment. After a stop the
    segments have footers and their records are not walked, after a kill they are."""
    server = servers().start()
    # Every fourth compresses, and a large one is then no large shard any more.
    digests = fill(server, [SMALL] * SHARD_HEADER + [LARGE] * (SHARD_HEADER * 3 // 2))
    if state == "stopped":
        server.stop()
    elif state == "killed":
        server.kill()
    disks = server.disks()
    flipped, before = 0, repaired_so_far(server)
    for shift, disk in ((0, disks[0]), (SHARD_HEADER // 2, disks[3])):
        found = records(server, disk)
        for is_packed in (True, False):
            some = [record for record in found if record.is_packed == is_packed]
            assert len(some) >= SHARD_HEADER, f"{len(some)} records of one kind of segment"
            for number in range(SHARD_HEADER):
                flip(some[number].path, some[number].offset + (number + shift) % SHARD_HEADER, 1 << number % 8)
                flipped += 1
    if state != "running":
        server.start()
    all_is_found_and_repaired(server, digests, flipped, before)
    # The others may go: what was repaired is whole.
    destroy(disks[1])
    destroy(disks[2])
    verify(server, digests)


@dataclass(frozen=True)
class Flip:
    """A byte of a record that was flipped, and what it is since."""

    record: Record
    part: str
    offset: int
    value: int

    @property
    def is_there(self) -> bool:
        """Not where the store has written it again from memory, as it does with the block that it appends to."""
        return byte(self.record.path, self.offset) == self.value

    def __str__(self):
        place = self.offset - self.record.parts[self.part].start
        return f"byte {place} of the {self.part} of the record at {self.record.offset} of {self.record.path}"


def byte(path, offset: int) -> int:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(1)[0]


def flip_one_byte_of_each(server, disks, chance) -> list[Flip]:
    """One byte of each shard of some disks, wherever: another in the same shard would have it found all the same."""
    flipped = []
    for record in [record for disk in disks for record in records(server, disk)]:
        part = chance.choice(sorted(record.parts))
        offset = chance.choice(record.parts[part])
        flip(record.path, offset, chance.choice((3, 5, 9, 17, 33, 65)))
        flipped.append(Flip(record, part, offset, byte(record.path, offset)))
    return flipped


def flip_segment_ends(disk, chance, has_footers):
    for path in segment_paths(disk):
        flip(path, chance.randrange(SEGMENT_HEADER), 4)
        if has_footers:
            flip(path, path.stat().st_size - chance.randrange(1, LOCATOR), 4)


def one_verification_finds(server, flipped: list[Flip]):
    """Each shard is written anew, at another place than where it was flipped."""
    scrub(server)
    server.wait_until_whole()
    found = {record for disk in server.disks() for record in records(server, disk)}
    left = [str(each) for each in flipped if each.record in found and each.is_there]
    assert not left, f"{len(left)} of {len(flipped)} flipped and not found: {left[:5]}"


@pytest.mark.long
@pytest.mark.parametrize("state", ["running", "stopped", "killed"])
def test_thousands_of_flips_in_all_parts_are_found_and_repaired(servers, state):
    """One in each shard of two disks, round after round; objects of one leaf and of many cells."""
    server = servers().start()
    digests = fill(server, [0, 1, 900, 64 * KIB, 513 * KIB, 3 * MIB, 4 * MIB + 1, 9 * MIB] * 12)
    chance = random.Random(state)
    for number in range(ROUNDS):
        if state == "stopped":
            server.stop()
        elif state == "killed":
            server.kill()
        disks = server.disks()[2::3]
        flipped = flip_one_byte_of_each(server, disks, chance)
        if number == 0:
            for disk in disks:
                flip_segment_ends(disk, chance, has_footers=state == "stopped")
        if state != "running":
            server.start()
        # Reading finds what is bad as well: later rounds leave it to the verification alone.
        if number == 0:
            verify(server, digests)
        one_verification_finds(server, flipped)
    verify(server, digests)
    scrub(server)
    assert server.metric("cairn_bad_shards") == 0
    destroy(server.disks()[0])
    destroy(server.disks()[4])
    verify(server, digests)


def test_footers_that_are_flipped_hide_nothing(servers):
    """A byte of each footer that a stop left on two disks: of its header, or of a row, so that it would tell of other
    records than there are."""
    server = servers().start()
    digests = fill(server, [SMALL, 700 * KIB] * 12)
    disks = server.disks()
    chance = random.Random(4)
    for begin in (0, FOOTER_HEADER, FOOTER_HEADER):
        server.stop()
        footers = [(path, found) for disk in (disks[1], disks[4]) for path in segment_paths(disk)
                   if (found := footer(path))]
        assert len(footers) >= 2 and all(len(found) > FOOTER_HEADER for _, found in footers), footers
        for path, found in footers:
            stop = len(found) if begin else FOOTER_HEADER
            flip(path, found.start + chance.randrange(begin, stop), 1 << chance.randrange(8))
        server.start()
        verify(server, digests)
        server.wait_until_whole()
    # What the two hold is needed now.
    destroy(disks[0])
    destroy(disks[5])
    verify(server, digests)


def test_bad_blocks_in_more_shards_than_parities(servers):
    """One in each of three of six shards, none in the same leaf: no object is lost by that, and all are repaired."""
    server = servers().start()
    # Every fourth is of text, and compressed into less than a leaf.
    digests = fill(server, [2 * MIB, 6 * MIB + 11] * 4)
    by_blob = {}
    for disk in server.disks():
        for record in records(server, disk):
            by_blob.setdefault(record.blob, []).append(record)
    large = [found for found in by_blob.values() if len(found[0].parts["body"]) > 3 * LEAF]
    assert len(large) >= 6
    for found in large:
        for number, record in enumerate(found[:3]):
            flip(record.path, record.parts["body"].start + number * LEAF + 100, 0x20)
    verify(server, digests)
    scrub(server)
    server.wait_until_whole()
    verify(server, digests)
    for disk in server.disks()[4:]:
        destroy(disk)
    verify(server, digests)


def test_what_lies_beside_bad_blocks_is_served(servers):
    """The same leaf bad in three of six shards: what needs it is refused, and all else of the object served, also once
    a verification has noted the shards as missing."""
    server = servers().start()
    cell = 512 * KIB
    data = noise(4 * cell, "beside")
    client = server.client(timeout=60)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="study", Body=data)
    found = [record for disk in server.disks() for record in records(server, disk)]
    large = [record for record in found if len(record.parts["body"]) == cell]
    assert len(large) == 6
    for record in large[:3]:
        flip(record.path, record.parts["body"].start + 2 * LEAF + 100, 0x20)

    def get(start: int, stop: int) -> bool:
        """Whether the range is served; never wrong."""
        try:
            answer = client.get_object(Bucket=BUCKET, Key="study", Range=f"bytes={start}-{stop - 1}")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
            return False
        assert answer["Body"].read() == data[start:stop], f"{start} to {stop}"
        return True

    def what_is_good_is_served():
        refused = [start for start in range(0, len(data), LEAF) if not get(start, start + LEAF)]
        assert refused and all(start % cell == 2 * LEAF for start in refused), refused
        for border in range(cell, len(data), cell):
            assert get(border - LEAF // 2, border + LEAF // 2)
        assert not get(0, len(data))

    what_is_good_is_served()
    scrub(server)
    assert server.status()["blobsBelowK"] == 1
    what_is_good_is_served()


def test_more_flips_than_parities_are_refused_and_listed(servers):
    server = servers().start()
    digests = fill(server, [SMALL, 2 * MIB] * 10)
    disks = server.disks()
    by_blob = {}
    for disk in disks:
        for record in records(server, disk):
            by_blob.setdefault(record.blob, []).append(record)
    # Three of six shards of some blobs, one byte in each leaf of each.
    lost = random.Random(3).sample(sorted(by_blob), 5)
    for blob in lost:
        for record in by_blob[blob][:3]:
            body = record.parts["body"]
            for offset in range(body.start, body.stop, 4 * KIB):
                flip(record.path, offset, 0x20)
    client = server.client(timeout=60)
    refused = set()
    for key, digest in digests.items():
        try:
            got = sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
            refused.add(key)
        except Exception:
            refused.add(key)  # The connection was cut in the middle of a body.
        else:
            assert got == digest, key
    assert len(refused) == len(lost)
    scrub(server)
    status = server.status()
    assert status["blobsBelowK"] == len(lost), status
    assert set(status["unreadableObjects"]) == {f"{BUCKET}/{key}" for key in refused}
    for key in digests.keys() - refused:
        assert sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digests[key], key
