"""A file system of few bytes for a test. Needs the right to mount, and says so aloud when it has none."""

import contextlib
import subprocess
import warnings

import pytest


@contextlib.contextmanager
def small_file_system(mount, size: int, kind: str = "tmpfs"):
    """One of `size` bytes at the new folder `mount`, gone afterwards; `kind`: tmpfs, or ext4 in a file beside it."""
    mount.mkdir()
    if kind == "ext4":
        image = mount.with_name(mount.name + ".image")
        with open(image, "wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        how = ["-o", "loop", str(image)]
    else:
        how = ["-t", "tmpfs", "-o", f"size={size}", "cairn-test"]
    made = subprocess.run(["mount", *how, str(mount)], capture_output=True, text=True)
    if made.returncode != 0:
        reason = f"NOT TESTED, a full file system needs the right to mount {kind}: {made.stderr.strip()}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)
