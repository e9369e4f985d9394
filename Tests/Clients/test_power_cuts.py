"""The power goes while objects are written: seven ext4 file systems, six disks and the data folder, drop at one moment
what was not synced (ioctl EXT4_IOC_SHUTDOWN without a flush of the journal) and are mounted again, which replays their
journals. Every acknowledged object is there. Needs the right to mount; says so loudly without."""

import fcntl
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time
import warnings

import pytest

from support.points import REPORT, load_until_checkpoint_is_due
from support.raw_disks import RawDisk
from support.server import Server
from support.writers import BUCKET, Writer, acknowledged, verify_all, wait_for_changes, writing

CUTS = int(os.environ.get("CAIRN_TEST_POWER_CUTS", "20"))
FEW = 3
WRITERS = 4
# A checkpoint that is due is taken within this time, and the journal trimmed behind it.
TRIM_SECONDS = 300
# A file system lets go of a process that is gone within this time.
UNMOUNT_SECONDS = 60
# linux/fs/ext4/ext4.h: EXT4_IOC_SHUTDOWN is _IOR('X', 125, __u32); EXT4_GOING_FLAGS_NOLOGFLUSH.
SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, 2


class Volume(RawDisk):
    """A file system that can lose its power."""

    def cut(self):
        folder = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        except OSError as error:
            reason = f"NOT TESTED, power cuts need EXT4_IOC_SHUTDOWN: {error}"
            REPORT.append(reason)
            warnings.warn(reason, stacklevel=1)
            pytest.skip(reason)
        finally:
            os.close(folder)

    def is_cut(self) -> bool:
        """Nothing can be written any more."""
        try:
            (self.folder / "after the cut").write_bytes(b"x")
        except OSError:
            return True
        return False

    def power_on(self):
        """Not lazily: the file system of before is gone, with what it had in memory, before the next is mounted."""
        deadline = time.monotonic() + UNMOUNT_SECONDS
        while (made := subprocess.run(["umount", str(self.mount_point)], capture_output=True, text=True)).returncode:
            # The kernel closes the last files of a process a moment after it has told its end.
            assert "busy" in made.stderr and time.monotonic() < deadline, made.stderr
            time.sleep(0.05)
        if self.is_attached():
            # Another mount namespace has a copy of the mount: the device would give the file system of before.
            image = self.image.with_name(self.image.name + "-again")
            subprocess.run(["cp", "--sparse=always", str(self.image), str(image)], check=True)
            self.image.unlink()
            self.image = image
        self.mount()


@pytest.fixture
def volumes(fast_folder):
    folder = pathlib.Path(tempfile.mkdtemp(dir=fast_folder))
    made = [Volume(folder, number) for number in range(7)]
    try:
        for volume in made:
            volume.make()
        yield made
    except pytest.skip.Exception as reason:
        REPORT.append(f"power cuts: {reason}")
        raise
    finally:
        for volume in made:
            volume.unmount()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(volumes):
    *disks, data = volumes
    options = [option for disk in disks for option in ("--disk", str(disk.folder))]
    server = Server(data.folder / "data", options)
    # The log is not part of what loses its power.
    server.log = data.image.parent / "server.log"
    server.start()
    try:
        server.client().create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.kill()


def run_cuts(server, volumes, count):
    writers, chance = [Writer(number) for number in range(WRITERS)], random.Random("power")
    for number in range(count):
        write_until_cut(server, volumes, writers, chance, (number + 1) * WRITERS)
        for volume in volumes:
            assert volume.is_cut(), "the file system lives on"
            volume.power_on()
        server.start()
        verify_all(server.client(), writers)
    REPORT.append(f"power cuts: {count}, {acknowledged(writers)} changes acknowledged, 0 lost")
    server.wait_until_whole()
    server.stop()


def write_until_cut(server, volumes, writers, chance, changes):
    with writing(server, writers):
        time.sleep(chance.uniform(0.2, 1.2))
        wait_for_changes(writers, changes)
        # One after the other, in any order: what is acknowledged meanwhile has been synced before each went.
        for volume in chance.sample(volumes, len(volumes)):
            volume.cut()
        # Some time without power: a store that acknowledges now has not looked at what its syncs said.
        time.sleep(chance.uniform(0, 0.3))
        server.kill()


def wait_until_trimmed(server, disk):
    """And no longer: within half a minute the kernel writes the database's log by itself, and a cut proves less."""
    deadline = time.monotonic() + TRIM_SECONDS
    while True:
        said = server.run("inspect", "journal", disk, check=False).stdout
        if any(int(base) > 0 for base in re.findall(r"^base +[0-9]+:[0-9]+:([0-9]+)", said, re.MULTILINE)):
            return
        assert time.monotonic() < deadline, f"not trimmed: {said}"
        time.sleep(0.1)


@pytest.mark.long
def test_power_cut_after_a_checkpoint(server, volumes):
    """The journal is trimmed behind a checkpoint of the metadata: the database may not fall back behind it."""
    client = server.client()
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    load_until_checkpoint_is_due(server)
    wait_until_trimmed(server, volumes[0].folder)
    for volume in volumes:
        volume.cut()
    server.kill()
    for volume in volumes:
        volume.power_on()
    server.start()
    assert client.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"kept"
    server.wait_until_whole()
    server.stop()
    REPORT.append("power cut behind a checkpoint: 1, nothing lost")


def test_a_few_power_cuts(server, volumes):
    run_cuts(server, volumes, FEW)


@pytest.mark.long
def test_power_cuts(server, volumes):
    run_cuts(server, volumes, CUTS)
