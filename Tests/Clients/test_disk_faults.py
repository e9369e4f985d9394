"""What operators, controllers and file systems do to the files of a disk: each fault done to as many disks as the
scheme has parities, while the store serves and while it is stopped. Never a wrong byte, never a missing object, and
afterwards as good as new."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from support.data import KIB, MIB, noise, sha256, text
from support.mounts import small_file_system
from support.server import WHOLE_SECONDS, Server, destroy, size_of
from test_flips import scrub

BUCKET = "archive"


# A server that goes on may remove a file just when a fault is done to it; then the fault is done again to what is left.
ATTEMPTS = 20


def segments(disk: pathlib.Path) -> list[pathlib.Path]:
    """Those of a block at least: one that a server is only beginning may have none yet."""
    return sorted(path for path in (disk / "segments").rglob("*") if size_of(path) >= 4096)


def strike(fault, *arguments):
    for attempt in range(ATTEMPTS):
        try:
            fault(*arguments)
            return
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.1)


def copy_of(disk: pathlib.Path, target: pathlib.Path):
    """As it is, of a server that goes on: without what it removes meanwhile."""
    def copy(source, destination):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(source, destination)

    shutil.copytree(disk, target, copy_function=copy)


def some(paths, rng):
    """About half of them, and at least one."""
    return rng.sample(paths, max(1, len(paths) // 2)) if paths else []


# Faults: each takes the disks it may touch, a folder with an older copy of every disk, and a source of randomness.

def segments_removed(disks, _, rng):
    for disk in disks:
        for path in some(segments(disk), rng):
            path.unlink()


def all_segments_removed(disks, *_):
    for disk in disks:
        shutil.rmtree(disk / "segments", ignore_errors=True)
        # A server that writes while we remove can leave a file behind once.
        shutil.rmtree(disk / "segments", ignore_errors=True)


def segments_cut(disks, _, rng):
    for disk in disks:
        for path in segments(disk):
            os.truncate(path, rng.randrange(path.stat().st_size))


def segments_emptied(disks, *_):
    for disk in disks:
        for path in segments(disk):
            os.truncate(path, 0)


def blocks_zeroed(disks, _, rng):
    overwrite(disks, rng, lambda count: bytes(count))


def blocks_of_noise(disks, _, rng):
    overwrite(disks, rng, rng.randbytes)


def overwrite(disks, rng, make):
    for disk in disks:
        for path in segments(disk):
            blocks = path.stat().st_size // 4096
            with open(path, "r+b") as file:
                for _ in range(max(1, blocks // 20)):
                    file.seek(rng.randrange(max(1, blocks)) * 4096)
                    file.write(make(4096))


def segments_exchanged_between_disks(disks, *_):
    first, second = disks
    for path in segments(first):
        other = second / path.relative_to(first)
        if other.exists():
            exchange(path, other)


def segments_exchanged_on_a_disk(disks, *_):
    for disk in disks:
        paths = segments(disk)
        for first, second in zip(paths[::2], paths[1::2]):
            exchange(first, second)


def exchange(first, second):
    """In place, as a broken controller does: the open files see it."""
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def blocks_misplaced(disks, _, rng):
    """Blocks written to a wrong place of the same file."""
    for disk in disks:
        for path in segments(disk):
            blocks = path.stat().st_size // 4096
            with open(path, "r+b") as file:
                for _ in range(max(1, blocks // 20)):
                    file.seek(rng.randrange(blocks) * 4096)
                    block = file.read(4096)
                    file.seek(rng.randrange(blocks) * 4096)
                    file.write(block)


def older_copies_of_segments(disks, old, _):
    for disk in disks:
        for path in segments(old / disk.name):
            target = disk / path.relative_to(old / disk.name)
            target.write_bytes(path.read_bytes())


def older_copy_of_the_disk(disks, old, _):
    for disk in disks:
        for folder in ("segments", "journal"):
            shutil.rmtree(disk / folder, ignore_errors=True)
            if (old / disk.name / folder).exists():
                shutil.copytree(old / disk.name / folder, disk / folder, dirs_exist_ok=True)


def journal(disk: pathlib.Path) -> list[pathlib.Path]:
    """Not every disk keeps a log."""
    return sorted((disk / "journal").iterdir()) if (disk / "journal").exists() else []


def journal_removed(disks, *_):
    for disk in disks:
        shutil.rmtree(disk / "journal", ignore_errors=True)


def journal_emptied(disks, *_):
    for disk in disks:
        for path in journal(disk):
            os.truncate(path, 0)


def journal_of_noise(disks, _, rng):
    for disk in disks:
        for path in journal(disk):
            path.write_bytes(rng.randbytes(path.stat().st_size))


def identity_removed(disks, *_):
    for disk in disks:
        (disk / "disk").unlink()


def identity_emptied(disks, *_):
    for disk in disks:
        os.truncate(disk / "disk", 0)


def identity_of_another(disks, *_):
    first, second = disks
    first_identity, second_identity = (first / "disk").read_bytes(), (second / "disk").read_bytes()
    (first / "disk").write_bytes(second_identity)
    (second / "disk").write_bytes(first_identity)


def strangers(disks, _, rng):
    """Files that are not the store's, among them names that look like its own."""
    for disk in disks:
        own = segments(disk)
        shutil.copy(own[0], str(own[0]) + ".bak")
        shutil.copy(own[0], own[0].with_name("f" * len(own[0].name)))
        (disk / "segments" / "lost+found").mkdir(exist_ok=True)
        (disk / "segments" / ("x" * 200)).write_bytes(rng.randbytes(5000))
        (disk / "segments" / "link").unlink(missing_ok=True)
        (disk / "segments" / "link").symlink_to(own[0])
        (disk / "journal").mkdir(exist_ok=True)
        (disk / "journal" / "log-zzzz").write_bytes(b"not a log")
        (disk / "notes.txt").write_text("left by somebody")


def disk_replaced_by_a_file(disks, *_):
    for disk in disks:
        destroy(disk)
        disk.write_bytes(b"not a folder")


def disks_exchanged(disks, *_):
    """Two disks come back in each other's slots."""
    first, second = disks
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


def same_disk_twice(disks, *_):
    first, second = disks
    destroy(first)
    first.symlink_to(second)


FAULTS = [
    segments_removed, all_segments_removed, segments_cut, segments_emptied, blocks_zeroed, blocks_of_noise,
    segments_exchanged_between_disks, segments_exchanged_on_a_disk, blocks_misplaced, older_copies_of_segments,
    older_copy_of_the_disk, journal_removed, journal_emptied, journal_of_noise, identity_removed, identity_emptied,
    identity_of_another, strangers, disk_replaced_by_a_file, disks_exchanged, same_disk_twice,
]


class Archive:
    """Objects of a server and what they must read as."""

    def __init__(self, server):
        self.server, self.digests = server, {}
        server.client().create_bucket(Bucket=BUCKET)

    def put(self, prefix, sizes):
        client = self.server.client(timeout=60)
        for number, size in enumerate(sizes):
            key = f"{prefix}/{number}"
            data = noise(size, key) if number % 2 else text(size, number)
            client.put_object(Bucket=BUCKET, Key=key, Body=data)
            self.digests[key] = sha256(data)

    def delete(self, key):
        self.server.client().delete_object(Bucket=BUCKET, Key=key)
        del self.digests[key]

    def read_all(self):
        client = self.server.client(timeout=60)
        for key, digest in self.digests.items():
            assert sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key
        listed = [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        assert listed == sorted(self.digests)


SIZES = [1, 700, 20 * KIB, 64 * KIB, 300 * KIB, 700 * KIB, MIB, 4 * MIB, 5 * MIB + 17]


def make_whole(server):
    """What an operator does: replaces what the status says is lost, and has everything verified."""
    scrub(server)
    for state in server.status()["disks"]:
        if state["state"] != "healthy":
            disk = pathlib.Path(state["path"])
            assert disk.is_relative_to(server.data), f"the status names no path of the store: {state}"
            if disk.is_symlink() or disk.is_file():
                disk.unlink()
            shutil.rmtree(disk, ignore_errors=True)
            server.replace(disk)
    server.wait_until_whole()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("when", ["serving", "stopped"])
def test_fault(servers, fault, when):
    server = servers().start()
    disks = server.disks()
    archive = Archive(server)
    archive.put("first", SIZES)
    server.wait_until_whole()
    old = server.data.parent / "old"
    for disk in disks:
        copy_of(disk, old / disk.name)
    archive.put("second", SIZES)
    archive.delete("first/3")
    archive.delete("first/7")
    server.wait_until_whole()

    rng = random.Random(f"{fault.__name__} {when}")
    touched = rng.sample(disks, 2)
    if when == "stopped":
        server.stop()
    strike(fault, touched, old, rng)
    if when == "stopped":
        server.start()
    archive.read_all()

    make_whole(server)
    archive.put("third", SIZES)
    archive.read_all()
    server.wait_until_whole()
    for disk in [disk for disk in disks if disk not in touched][:2]:
        destroy(disk)
    archive.read_all()
    assert server.is_alive()


def test_what_is_written_after_segments_were_renamed(servers):
    """Under the open files of two disks: the store is whole again without a restart, and what it acknowledged then does
    not rest on files that nobody finds again."""
    server = servers().start()
    archive = Archive(server)
    archive.put("first", SIZES)
    for disk in server.disks()[:2]:
        for number, path in enumerate(segments(disk)):
            path.rename(path.with_name(f"{number + 0x1000:016x}.seg"))
    archive.read_all()
    scrub(server)
    server.wait_until_whole()
    archive.put("second", SIZES)
    server.wait_until_whole()
    server.kill()
    for disk in server.disks()[4:]:
        destroy(disk)
    server.start()
    archive.read_all()


def test_promises_removed_beneath_their_keepers(servers):
    """Of two keepers: others take their place or they begin anew, until any two disks may go."""
    server = servers().start()
    archive = Archive(server)
    archive.put("first", SIZES)
    keepers = [disk for disk in server.disks() if (disk / "journal" / "promise").exists()]
    assert len(keepers) == 5
    for disk in keepers[:2]:
        (disk / "journal" / "promise").unlink()
    archive.put("second", SIZES)
    deadline = time.monotonic() + WHOLE_SECONDS
    while [disk for disk in server.disks() if (disk / "journal" / "promise").exists()][4:] == []:
        assert time.monotonic() < deadline, server.status()["journal"]
        time.sleep(0.5)
    scrub(server)
    server.wait_until_whole()
    archive.delete("first/3")
    server.kill()
    for disk in keepers[2:4]:
        destroy(disk)
    server.start()
    archive.read_all()


def test_a_start_over_file_systems_that_are_read_only(folder):
    """As ext4 is after it met damage. Once they were only "missing", and what is on them was offered to be given up."""
    with contextlib.ExitStack() as mounts:
        disks = [mounts.enter_context(small_file_system(folder / f"disk-{number}", 512 * MIB)) for number in range(6)]
        server = Server(folder / "data", [option for disk in disks for option in ("--disk", str(disk))]).start()
        mounts.callback(server.kill)
        archive = Archive(server)
        archive.put("first", SIZES)
        server.stop()
        keepers = [disk for disk in disks if (disk / "journal" / "promise").exists()][:3]
        for disk in keepers:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(RuntimeError) as refused:
            server.start()
        said = str(refused.value)
        assert said.count("its file system is mounted read-only") >= len(keepers), said
        assert "Mend those that are there" in said
        assert "--force-journal" not in said and "replace the disk" not in said
        for disk in keepers:
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        server.start()
        archive.read_all()
        server.stop()
