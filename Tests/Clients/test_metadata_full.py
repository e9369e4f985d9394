"""A full file system under the metadata alone: PUT gets 507, GET and DELETE go on, and so does a start."""

import time

import pytest
from botocore.exceptions import ClientError

from support.data import KIB, MIB, noise
from support.mounts import occupy, small_file_system
from support.server import WHOLE_SECONDS, Server

BUCKET = "archive"
CAPACITY = 300 * MIB
# As much as a client may send with an object: it goes into its row.
METADATA = {"note": "x" * 1536}
# More than fills the database's log when that cannot be carried over.
MANY = 4000


@pytest.fixture
def small_folder(folder):
    """A small file system for the data folder, gone after the test."""
    with small_file_system(folder / "small", CAPACITY) as mount:
        yield mount


@pytest.fixture
def server(folder, small_folder):
    disks = [folder / f"disk-{number}" for number in range(6)]
    for disk in disks:
        disk.mkdir()
    server = Server(small_folder / "data", [option for disk in disks for option in ("--disk", str(disk))])
    # What it says needs room, too.
    server.log = folder / "server.log"
    server.start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def test_a_full_file_system_under_the_metadata(server, small_folder):
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    stored = {}
    for number in range(100):
        put(client, f"before/{number:04}", stored)
    foreign = small_folder / "foreign"
    occupy(foreign)
    message = put_until_refused(client, stored)
    assert "metadata" in message, message
    verify(client, stored)
    status = server.status()
    assert [trouble["work"] for trouble in status["troubles"]] == ["metadata"], status["troubles"]
    assert [room["state"] for room in status["room"]] == ["refused"], status["room"]
    # One by one, while others take each byte that comes free.
    delete_some(client, stored, foreign, len(stored) // 2)

    # Killed, and then stopped, which removes the database's log: both come back, and go on as before.
    server.kill()
    client = server.start().client()
    go_on(client, stored, foreign)
    server.stop()
    occupy(foreign)
    client = server.start().client()
    go_on(client, stored, foreign)

    foreign.unlink()
    deadline = time.monotonic() + WHOLE_SECONDS
    while True:
        try:
            put(client, "after", stored)
            break
        except ClientError as error:
            assert code(error) == "InsufficientStorage", error.response
            assert time.monotonic() < deadline, "the room that was made is not used"
            time.sleep(0.2)
    for number in range(200):
        put(client, f"after/{number:04}", stored)
    verify(client, stored)
    assert server.status()["troubles"] == []


def go_on(client, stored, foreign):
    verify(client, stored)
    with pytest.raises(ClientError) as refusal:
        put(client, "refused", stored)
    assert code(refusal.value) == "InsufficientStorage", refusal.value.response
    delete_some(client, stored, foreign, 30)
    verify(client, stored)


def put(client, key, stored):
    client.put_object(Bucket=BUCKET, Key=key, Body=noise(KIB, key), Metadata=METADATA)
    stored[key] = noise(KIB, key)


def put_until_refused(client, stored):
    for number in range(MANY):
        try:
            put(client, f"more/{number:06}", stored)
        except ClientError as error:
            assert code(error) == "InsufficientStorage", error.response
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 507
            return error.response["Error"]["Message"]
    raise AssertionError("nothing was refused")


def delete_some(client, stored, foreign, count):
    for number, key in enumerate(sorted(stored)[:count]):
        client.delete_object(Bucket=BUCKET, Key=key)
        del stored[key]
        if number % 20 == 0:
            occupy(foreign)


def verify(client, stored):
    for key, data in stored.items():
        assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == data, key


def code(error):
    return error.response["Error"]["Code"]
