"""A server that is told to stop ends, also when a disk hangs: what waits for the disk would never end."""

import pytest

from support.data import sha256
from support.faults import CHANGES, DELAY, Faults
from support.server import Server

BUCKET = "archive"
# The server's clock runs so many times faster.
SPEED = 10
# Seconds that the disk hangs: longer than a stop may take.
HANG = 600
# Of the server's 75, and some to be slow in.
STOP_SECONDS = 75 / SPEED + 30


@pytest.fixture
def faults(folder):
    return Faults(folder / "data", folder / "control", SPEED)


@pytest.fixture
def server(folder, faults):
    server = Server(folder / "data", environment=faults.environment()).start()
    try:
        yield server
    finally:
        server.kill()


def test_a_stop_ends_though_a_disk_hangs(server, faults):
    client = server.client(timeout=60)
    client.create_bucket(Bucket=BUCKET)
    faults.arm(1, DELAY, kinds=CHANGES, match="disk-1/", delay=HANG)
    digests = {}
    for number in range(3):
        data = bytes([number]) * 3_000_000
        client.put_object(Bucket=BUCKET, Key=str(number), Body=data)
        digests[str(number)] = sha256(data)
    assert faults.is_hit, "nothing hangs"

    server.process.terminate()
    status = server.process.wait(STOP_SECONDS)
    assert status == 1, server.tail()
    assert "the stop takes too long, as when a disk hangs" in server.log.read_text(), server.tail()

    # As after any other end: what was acknowledged is there.
    server.kill()
    faults.disarm()
    server.start()
    for key, digest in digests.items():
        assert sha256(server.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key
    server.stop()
