"""Disks without room: writes get a clear error, reads and deletes go on, and freed room is used again."""

import errno
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from support.data import KIB, MIB, noise, sha256
from support.mounts import occupy, small_file_system
from support.raw_disks import options, raw_disks
from support.server import WHOLE_SECONDS, Server

BUCKET = "archive"
CAPACITY = int(os.environ.get("CAIRN_TEST_FULL_MIB", "1536")) * MIB
SMALL = int(os.environ.get("CAIRN_TEST_FULL_SMALL_OBJECTS", "20000"))


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(folder, request):
    """A file system of `CAPACITY` bytes, gone after the test."""
    with small_file_system(folder / "full", CAPACITY, request.param) as mount:
        yield mount


@pytest.fixture
def full(small_disk):
    server = Server(small_disk / "data").start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def fill_up(client, size, digests, prefix):
    """Writes objects of `size` until one is refused; the refusal is checked and returned."""
    for number in range(CAPACITY // max(size, 1) + 1):
        data = noise(size, f"{prefix}{number}")
        key = f"{prefix}/{number:06}"
        try:
            client.put_object(Bucket=BUCKET, Key=key, Body=data)
        except ClientError as error:
            response = error.response
            assert response["ResponseMetadata"]["HTTPStatusCode"] in (503, 507), response
            assert response["Error"]["Code"] in ("InsufficientStorage", "ServiceUnavailable", "SlowDown"), response
            assert response["Error"]["Message"]
            return
        digests[key] = sha256(data)
    raise AssertionError("more was taken than there is room for")


def verify(client, digests):
    for key, digest in digests.items():
        assert sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key


@pytest.mark.long
def test_a_full_disk(full):
    client = full.client()
    client.create_bucket(Bucket=BUCKET)
    digests = {}
    fill_up(client, 8 * MIB, digests, "large")
    fill_up(client, 64 * KIB, digests, "medium")
    fill_up(client, 1 * KIB, digests, "small")
    assert sum(1 for key in digests if key.startswith("large")) * 8 * MIB > CAPACITY // 4
    verify(client, digests)
    assert full.is_alive()

    full.stop()
    full.start()
    client = full.client()
    verify(client, digests)

    # Half goes, by both kinds of delete; at least half of that is stored again.
    gone = sorted(digests)[::2]
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in gone[:1000]], "Quiet": True})
    for key in gone[1000:]:
        client.delete_object(Bucket=BUCKET, Key=key)
    for key in gone:
        del digests[key]
    verify(client, digests)
    freed = sum(1 for key in gone if key.startswith("large"))
    refill(client, digests, freed // 2)
    verify(client, digests)


@pytest.mark.long
def test_reads_and_deletes_go_on_when_others_fill_the_disk(full, small_disk):
    """Not a byte is left on the file system that the metadata shares with the disks."""
    client = full.client()
    client.create_bucket(Bucket=BUCKET)
    digests = {}
    for number in range(400):
        data = noise(2 * MIB if number % 40 == 0 else 3 * KIB, number)
        client.put_object(Bucket=BUCKET, Key=f"{number:04}", Body=data)
        digests[f"{number:04}"] = sha256(data)
    foreign = small_disk / "foreign"
    occupy(foreign)
    # What the segments have set aside still takes some.
    fill_up(client, MIB, digests, "more")
    fill_up(client, 3 * KIB, digests, "small")
    verify(client, digests)
    # One by one, so that each is a change of its own; what they free is taken at once.
    for number, key in enumerate(sorted(digests)[:200]):
        client.delete_object(Bucket=BUCKET, Key=key)
        del digests[key]
        if number % 20 == 0:
            occupy(foreign)
    verify(client, digests)
    # Killed as it is, it comes back, and still deletes.
    full.kill()
    full.start()
    client = full.client()
    verify(client, digests)
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in sorted(digests)[:100]]})
    for key in sorted(digests)[:100]:
        del digests[key]
    verify(client, digests)
    foreign.unlink()
    refill(client, digests, 5)
    verify(client, digests)


def refill(client, digests, count, seconds=WHOLE_SECONDS):
    """Stores `count` large objects; room that was freed may take a moment to come back."""
    deadline = time.monotonic() + seconds
    for number in range(count):
        data = noise(8 * MIB, f"again{number}")
        while True:
            try:
                client.put_object(Bucket=BUCKET, Key=f"again/{number}", Body=data)
                break
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (503, 507)
                assert time.monotonic() < deadline, f"only {number} of {count} objects fit into the room that was freed"
                time.sleep(0.5)
        digests[f"again/{number}"] = sha256(data)


@pytest.mark.long
def test_room_of_many_small_objects_comes_back(full):
    """Nine of ten small objects deleted, and nothing else: what they shared with the tenth is reclaimed, also on disks
    that are full, for only that makes room for large ones."""
    client = full.client(connections=16)
    client.create_bucket(Bucket=BUCKET)
    # Of few objects each is larger: what nine of ten free is to hold some large ones.
    body = noise(max(KIB, 40 * MIB // SMALL), "small")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: client.put_object(Bucket=BUCKET, Key=f"{n:06}", Body=body), range(SMALL)))
    digests = {}
    fill_up(client, 8 * MIB, digests, "large")
    # What is left then, and what a checkpoint gives back, is too little for a large one.
    fill_up(client, 256 * KIB, digests, "medium")
    for start in range(0, SMALL, 1000):
        keys = [{"Key": f"{n:06}"} for n in range(start, min(start + 1000, SMALL)) if n % 10]
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys, "Quiet": True})
    kept = {f"{n:06}": sha256(body) for n in range(0, SMALL, 10)}
    freed = SMALL * 9 // 10 * len(body)
    again = {}
    refill(client, again, freed // 2 // (8 * MIB))
    assert again, "too few small objects to make room for a large one"
    assert full.metric("cairn_repacked_blobs_total") > 0, "nothing was put together from what lived"
    verify(client, kept | digests | again)


@pytest.fixture
def small_disks(folder):
    """Six file systems that a journal alone could fill."""
    with raw_disks(folder, size=144 * MIB) as made:
        yield made


def test_deletes_one_by_one_on_small_full_disks(small_disks, folder):
    """Each is a block of journal on disks that have none to give: checkpoints must bring it back in time."""
    server = Server(folder / "data", options(small_disks)).start()
    try:
        client = server.client(connections=16)
        client.create_bucket(Bucket=BUCKET)
        small = {f"small/{number:05}": noise(KIB, number) for number in range(5000)}
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda item: client.put_object(Bucket=BUCKET, Key=item[0], Body=item[1]), small.items()))
        digests = {}
        fill_up(client, 8 * MIB, digests, "large")
        fill_up(client, 256 * KIB, digests, "medium")
        for key in sorted(small)[: 9 * len(small) // 10]:
            delete(client, key)
            del small[key]
        digests |= {key: sha256(data) for key, data in small.items()}
        verify(client, digests)
        large = [key for key in sorted(digests) if key.startswith("large")]
        for key in large:
            delete(client, key)
            del digests[key]
        refill(client, digests, len(large) // 2)
        verify(client, digests)
        server.stop()
        server.start()
        verify(server.client(), digests)
        server.stop()
    finally:
        server.kill()


def test_disks_that_take_no_more_files(small_disks, folder):
    """Others have made files until no inode was left on two of six disks: no segment can be begun there."""
    server = Server(folder / "data", options(small_disks)).start()
    try:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        digests = {}
        for number, size in enumerate([KIB, 300 * KIB, 2 * MIB]):
            data = noise(size, number)
            client.put_object(Bucket=BUCKET, Key=f"before/{number}", Body=data)
            digests[f"before/{number}"] = sha256(data)
        for disk in small_disks[:2]:
            take_all_inodes(disk.mount_point / "others")
        # What was open is closed: each write wants a new segment.
        server.stop()
        client = server.start().client()
        deadline = time.monotonic() + WHOLE_SECONDS
        while (states := [disk["state"] for disk in server.status()["disks"]]).count("full") != 2:
            assert time.monotonic() < deadline, states
            time.sleep(0.2)
        with pytest.raises(ClientError) as refusal:
            client.put_object(Bucket=BUCKET, Key="refused", Body=noise(KIB))
        assert refusal.value.response["Error"]["Code"] == "InsufficientStorage", refusal.value.response
        verify(client, digests)
        for disk in small_disks[:2]:
            shutil.rmtree(disk.mount_point / "others")
        refill(client, digests, 1)
        verify(client, digests)
        server.stop()
    finally:
        server.kill()


def take_all_inodes(others):
    others.mkdir()
    try:
        for number in range(1_000_000):
            (others / str(number)).touch()
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    else:
        raise AssertionError("a file system without an end of inodes")


def delete(client, key, seconds=WHOLE_SECONDS):
    """Deletes, and waits for the checkpoint that a journal short of room asks for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client.delete_object(Bucket=BUCKET, Key=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InsufficientStorage", error.response
            assert time.monotonic() < deadline, "no checkpoint has brought the journal's room back"
            time.sleep(0.2)
