"""A file system of few bytes for a test. Needs the right to mount, and says so aloud when it has none."""

import contextlib
import shutil
import subprocess
import warnings

import pytest

from support.data import KIB, MIB


def skip(reason: str):
    """Aloud: a test that is skipped proves nothing."""
    warnings.warn(f"NOT TESTED, {reason}", stacklevel=2)
    pytest.skip(f"NOT TESTED, {reason}")


def need(*tools: str):
    """Skips where one is not installed, or not in the path of who is not root."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        skip(f"the machine lacks {', '.join(missing)}")


@contextlib.contextmanager
def small_file_system(mount, size: int, kind: str = "tmpfs"):
    """One of `size` bytes at the new folder `mount`, gone afterwards; `kind`: tmpfs, or ext4 in a file beside it."""
    mount.mkdir()
    if kind == "ext4":
        image = mount.with_name(mount.name + ".image")
        with open(image, "wb") as file:
            file.truncate(size)
        need("mkfs.ext4")
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        how = ["-o", "loop", str(image)]
    else:
        how = ["-t", "tmpfs", "-o", f"size={size}", "cairn-test"]
    made = subprocess.run(["mount", *how, str(mount)], capture_output=True, text=True)
    if made.returncode != 0:
        skip(f"a full file system needs the right to mount {kind}: {made.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def occupy(path):
    """Takes all that is left of a file system."""
    with open(path, "ab", buffering=0) as file:
        for size in (MIB, 4 * KIB, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass  # That large a piece does not fit any more.
