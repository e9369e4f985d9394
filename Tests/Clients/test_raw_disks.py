"""Faults beneath the file system: six ext4 disks of their own, given with `--disk`. Noise on the device, a file
system that gives up, a mount that goes away and comes back, writes that do not end. Needs the right to mount; says so
loudly without."""

import random
import subprocess
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.data import KIB, MIB, noise, sha256
from support.raw_disks import RawDisk, options, raw_disks
from support.server import WHOLE_SECONDS, Server, wait_for
from test_flips import scrub
from test_metrics import metrics

BUCKET = "archive"
SIZES = [1, 900, 20 * KIB, 100 * KIB, 300 * KIB, 700 * KIB, 2 * MIB, 6 * MIB + 11]


@pytest.fixture
def disks(folder):
    with raw_disks(folder) as made:
        yield made


@pytest.fixture
def server(disks, folder):
    server = Server(folder / "data", options(disks)).start()
    try:
        server.client().create_bucket(Bucket=BUCKET)
        yield server
        server.stop()
    finally:
        server.kill()


class Archive:
    """Objects and what they must read as; a writer that goes on meanwhile."""

    def __init__(self, server):
        self.server, self.digests, self.refused = server, {}, 0

    def put(self, prefix, sizes=SIZES):
        client = self.server.client(timeout=60)
        for number, size in enumerate(sizes):
            key, data = f"{prefix}/{number}", noise(size, f"{prefix}{number}")
            client.put_object(Bucket=BUCKET, Key=key, Body=data)
            self.digests[key] = sha256(data)

    def read_all(self):
        client = self.server.client(timeout=60)
        for key, digest in sorted(self.digests.items()):
            assert sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key

    def writing(self):
        """While the block runs, another client writes; what was refused is counted, what was acknowledged is kept."""
        archive = self

        class Writing:
            def __enter__(self):
                self.is_over = threading.Event()
                self.thread = threading.Thread(target=self.run, daemon=True)
                self.thread.start()
                return self

            def run(self):
                client, number = archive.server.client(timeout=60, connections=1), 0
                while not self.is_over.is_set():
                    key, data = f"busy/{number}", noise(50 * KIB + number, f"busy{number}")
                    number += 1
                    try:
                        client.put_object(Bucket=BUCKET, Key=key, Body=data)
                        archive.digests[key] = sha256(data)
                    except (BotoCoreError, ClientError):
                        archive.refused += 1

            def __exit__(self, *_):
                self.is_over.set()
                self.thread.join(WHOLE_SECONDS)
                assert not self.thread.is_alive()

        return Writing()


def report_of(server, disk):
    return next(each for each in server.status()["disks"] if each["path"] == str(disk.folder))


def state_of(server, disk):
    return report_of(server, disk)["state"]


def come_back(server, disk):
    """The operator checks the file system and mounts it again; the store takes the disk up by itself."""
    disk.unmount()
    # A lazily unmounted file system ends with its last open file: the store must let go of them all.
    wait_for(lambda: not disk.is_attached())
    subprocess.run(["fsck.ext4", "-f", "-y", str(disk.image)], check=False, capture_output=True)
    disk.mount()
    wait_for(lambda: state_of(server, disk) == "healthy")
    server.wait_until_whole()


def test_noise_on_two_devices(server, disks):
    archive, rng = Archive(server), random.Random("noise")
    archive.put("first")
    server.wait_until_whole()
    with archive.writing():
        for disk in disks[1:3]:
            disk.spoil(rng)
        archive.read_all()
    archive.put("second")
    scrub(server)
    archive.read_all()
    # A write may have left a slow disk of the other four behind, which must have everything before these two go.
    others = [disk for disk in disks if disk not in disks[1:3]]
    wait_for(lambda: not any(report_of(server, disk)["missingShards"] for disk in others))
    # The operator makes new file systems and replaces both.
    for disk in disks[1:3]:
        disk.unmount()
        disk.make()
        wait_for(lambda: state_of(server, disk) != "healthy")
        server.replace(disk.folder)
    server.wait_until_whole()
    archive.read_all()
    assert server.is_alive()


def test_noise_while_stopped(server, disks):
    archive, rng = Archive(server), random.Random("stopped")
    archive.put("first")
    server.wait_until_whole()
    server.stop()
    for disk in disks[3:5]:
        disk.unmount()
        disk.spoil(rng, 0.3)
        # What a file system check leaves of it, if anything.
        subprocess.run(["fsck.ext4", "-f", "-y", str(disk.image)], check=False, capture_output=True)
        disk.mount()
    server.start()
    archive.read_all()
    archive.put("second")
    scrub(server)
    archive.read_all()
    assert server.is_alive()


@pytest.mark.parametrize("goes", [RawDisk.abort, RawDisk.unmount], ids=["gives up", "is unmounted"])
def test_a_file_system_that_goes_and_comes_back(server, disks, goes):
    """Gives up: as after an I/O error on its own tables, everything turns read-only at once."""
    archive = Archive(server)
    archive.put("first")
    with archive.writing():
        time.sleep(0.5)
        goes(disks[4])
        wait_for(lambda: state_of(server, disks[4]) != "healthy")
        archive.put("second")
        archive.read_all()
    come_back(server, disks[4])
    archive.read_all()
    # At most what was in flight when it happened.
    assert archive.refused <= 2


def hanging(server):
    """How many disks hang, by the metrics."""
    return sum(value for name, value in metrics(server).items() if name.startswith("cairn_disk_hanging{"))


def test_writes_that_hang(server, disks):
    """Found by freezing two disks: each PUT waited for 30 s and was refused, and status and log said nothing of it."""
    archive, frozen = Archive(server), [disks[1], disks[4]]
    archive.put("first")
    server.wait_until_whole()
    assert hanging(server) == 0
    with archive.writing():
        try:
            for disk in frozen:
                disk.freeze()
            for disk in frozen:
                wait_for(lambda disk=disk: state_of(server, disk) == "hanging", 60)
            assert hanging(server) == 2
            # Writes go by what the log tells; the status may be a second ahead of it.
            wait_for(lambda: server.said().count("a disk takes no writes") >= 2, 60)
            assert server.said().count("a disk takes no writes") == 2
            # The first may wait for others that went to the disks before it was known.
            for _ in range(2):
                begun = time.monotonic()
                with pytest.raises(ClientError, match="4 of 6 disks are usable") as refusal:
                    server.client().put_object(Bucket=BUCKET, Key="refused", Body=noise(50 * KIB, "refused"))
                assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert time.monotonic() - begun < 25
            archive.read_all()
            # One that hangs is written around.
            frozen[0].thaw()
            wait_for(lambda: state_of(server, frozen[0]) == "healthy")
            archive.put("around")
            assert state_of(server, frozen[1]) == "hanging"
        finally:
            for disk in frozen:
                disk.thaw()
    wait_for(lambda: hanging(server) == 0)
    server.wait_until_whole()
    assert "a disk is lost" not in server.said()
    archive.put("after")
    archive.read_all()
