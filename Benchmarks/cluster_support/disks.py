"""Disks that can be taken away, stopped or slowed down, and how fast the real one beneath them is."""

import mmap
import os
import pathlib
import shutil
import subprocess
import time

from lab_support import CannotTest

MIB = 1 << 20
CONTROL = pathlib.Path("/sys/fs/cgroup")
GROUP = "cairn-bench"
# A disk that did no more than this in so long is idle; one that always has something to do is taken as it is.
QUIET_BYTES, QUIET_SECONDS, SETTLE_SECONDS = 2 * MIB, 0.5, 10


def destroy(disk: pathlib.Path):
    """Takes a disk away from a running process: its files lose their bytes first, so that no open descriptor still
    reads them. What it is mounted on stays, empty."""
    for folder, _, files in os.walk(disk):
        for name in files:
            try:
                os.truncate(os.path.join(folder, name), 0)
            except FileNotFoundError:
                pass
    for entry in disk.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def drop_caches():
    """What is read from now on comes from the disk."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def speed(folder: pathlib.Path, size: int = 512 * MIB) -> dict[str, float]:
    """MB/s of the disk beneath a folder, past the page cache: new blocks written one MiB after the other, the same with
    a flush after each, and read."""
    path = folder / "speed"
    block = mmap.mmap(-1, MIB)
    block.write(os.urandom(MIB))

    def rate(flags: int, step) -> float:
        file = os.open(path, flags | os.O_DIRECT, 0o600)
        try:
            began = time.monotonic()
            for _ in range(size // MIB):
                step(file)
            os.fdatasync(file)
            return size / 1e6 / (time.monotonic() - began)
        finally:
            os.close(file)

    def write_and_flush(file: int):
        os.write(file, block)
        os.fdatasync(file)

    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        return {"write": rate(new, lambda file: os.write(file, block)), "flush": rate(new, write_and_flush),
                "read": rate(os.O_RDONLY, lambda file: os.readv(file, [block]))}
    finally:
        path.unlink(missing_ok=True)


def settle(folder: pathlib.Path):
    """Waits until the disk beneath a folder has next to nothing to do with what was written or removed before."""
    os.sync()
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        traffic = Traffic(folder)
        time.sleep(QUIET_SECONDS)
        if sum(traffic.moved()) < QUIET_BYTES:
            return


class Traffic:
    """What the device beneath a folder has done since this was made, for whomever."""

    SECTOR = 512

    def __init__(self, folder: pathlib.Path):
        device = os.stat(folder).st_dev
        self.file = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
        self.began = self.sectors()

    def sectors(self) -> list[int]:
        """Counted since the machine's start; zeros for a file system without a device of its own."""
        if not self.file.exists():
            return [0, 0, 0]
        fields = self.file.read_text().split()
        return [int(fields[place]) for place in (2, 6, 13)]

    def moved(self) -> list[int]:
        """Bytes that were read, written and discarded."""
        return [(now - then) * self.SECTOR for now, then in zip(self.sectors(), self.began)]


def run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise CannotTest(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout.strip()


class Group:
    """A control group (cgroup v1) that bounds what one process gets; without it the machine can slow nothing down."""

    def __init__(self, controller: str):
        self.parent = CONTROL / controller
        self.folder = self.parent / GROUP
        if not (self.parent / "cgroup.procs").exists():
            raise CannotTest(f"no control groups of version 1 for {controller} on this machine")
        self.folder.mkdir(exist_ok=True)

    def write(self, name: str, value: str):
        try:
            (self.folder / name).write_text(value)
        except OSError as error:
            raise CannotTest(f"{self.folder / name}: {error}") from None

    def take(self, pid: int):
        self.write("cgroup.procs", str(pid))

    def remove(self):
        """What was in it goes back to where all the others are."""
        for pid in (self.folder / "cgroup.procs").read_text().split():
            (self.parent / "cgroup.procs").write_text(pid)
        self.folder.rmdir()


class LoopDisk:
    """A disk with a device of its own, so that it alone can be slow: ext4 in an image, without a journal, mounted where
    a node looks for its disk."""

    def __init__(self, image: pathlib.Path, place: pathlib.Path, size: int):
        self.image, self.place = image, place
        place.mkdir(parents=True)
        with open(image, "wb") as file:
            file.truncate(size)
        try:
            run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(image))
            run("mount", "-o", "loop", str(image), str(place))
            shutil.rmtree(place / "lost+found")
            self.device = run("findmnt", "-n", "-o", "MAJ:MIN", "-T", str(place)).strip()
        except BaseException:
            self.remove()
            raise
        self.group: Group | None = None

    def bound(self, pid: int, operations: int):
        """So many reads and as many writes a second at most; what lies in the page cache is fast still."""
        self.group = Group("blkio")
        for kind in ("read", "write"):
            self.group.write(f"blkio.throttle.{kind}_iops_device", f"{self.device} {operations}")
        self.group.take(pid)

    def unbound(self):
        if self.group:
            for kind in ("read", "write"):
                self.group.write(f"blkio.throttle.{kind}_iops_device", f"{self.device} 0")
            self.group.remove()
            self.group = None

    def freeze(self):
        """Nothing is written to it, and nobody is told so: whoever tries waits."""
        run("fsfreeze", "-f", str(self.place))

    def thaw(self):
        run("fsfreeze", "-u", str(self.place))

    def remove(self):
        subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True)
        self.image.unlink(missing_ok=True)
