"""A disk that gives EIO for a minute in the middle of a rebuild: the store converges without a restart."""

import os
import time

import pytest

from support.background import Background
from support.data import KIB, noise, sha256
from support.faults import CHANGES, FAIL, READ, Faults
from support.server import WHOLE_SECONDS, Server, destroy, lacks, wait_for
from test_disks_lost import BUCKET, Reader, fill, read_all

# How long the disk fails. It is a minute of the server's time, which passes so many times faster.
SECONDS = int(os.environ.get("CAIRN_TEST_EIO_SECONDS", "6"))
SPEED = max(1, 60 // SECONDS)
# MiB a second of the server's time, while clients ask for something: so that the rebuild of 33 MiB takes half a minute
# of it; and as fast as it goes.
SLOW_RATE, FAST_RATE = 1, 10_000
# Objects that must have been written while the disk failed.
WRITES = 3
# Which disk fails, and what of it: one that shards are read from, or the new one. All four where it is a whole minute.
CASES = [("source", READ), ("new", READ | CHANGES)]
if SECONDS >= 60:
    CASES += [("source", READ | CHANGES), ("new", READ)]


class Writer(Background):
    """Writes small objects, one after another; each must be acknowledged."""

    pause, patience = 0.1, WHOLE_SECONDS

    def __init__(self, server, digests):
        super().__init__()
        self.client, self.digests, self.count = server.client(timeout=60), digests, 0

    def step(self):
        key, data = f"meanwhile/{self.count:04}", noise(20 * KIB, self.count)
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.digests[key] = sha256(data)
        self.count += 1


@pytest.fixture
def faults(folder):
    return Faults(folder / "data", folder / "control", SPEED)


@pytest.fixture
def server(folder, faults):
    server = Server(folder / "data", environment=faults.environment()).start()
    try:
        yield server
        server.stop()
    finally:
        faults.disarm()
        server.kill()


def repair(server) -> dict:
    return server.status()["repair"]


@pytest.mark.parametrize(("failing", "kinds"), CASES,
                         ids=[f"{disk}-{'reads' if kinds == READ else 'all-calls'}" for disk, kinds in CASES])
def test_a_minute_of_eio_in_a_rebuild(server, faults, failing, kinds):
    digests = fill(server)
    disks = server.disks()
    new, source = disks[1], disks[3]
    process = server.process.pid
    destroy(new)
    server.admin("repair", "rate", "--disk", SLOW_RATE)
    written = {}
    with Reader(server, dict(digests)) as reader, Writer(server, written) as writer:
        # Clients keep it to its rate.
        wait_for(lambda: reader.rounds > 0 and writer.count > 0)
        server.replace(new)
        wait_for(lambda: repair(server)["bytesDone"] > 0)
        before = writer.count
        faults.arm(1, FAIL, kinds, match=f"/{(source if failing == 'source' else new).name}/", lasts=True)
        assert repair(server)["bytesLeft"] > 0, "the rebuild was over before the disk failed"
        time.sleep(SECONDS)
        lacking = lacks(server.status())
        faults.disarm()
        assert faults.hits > 1, "nothing met the fault"
        assert lacking, "whole, with a disk that cannot be read"
        assert writer.count - before >= WRITES, "writes did not go on"
        server.admin("repair", "rate", "--disk", FAST_RATE)
    digests |= written
    server.wait_until_whole()
    assert server.process.pid == process and server.is_alive()
    read_all(server, digests)
    # Both disks carry their share: any two others may go now.
    for disk in (disks[0], disks[5]):
        destroy(disk)
    read_all(server, digests)
