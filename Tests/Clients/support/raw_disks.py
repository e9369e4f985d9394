"""Disks of their own for a test: ext4 in an image, mounted through a loop device. Needs the right to mount."""

import contextlib
import subprocess

from support.data import MIB
from support.mounts import need, skip

DISK_BYTES = 512 * MIB


class RawDisk:
    """A disk image and its mount."""

    def __init__(self, folder, number, size=DISK_BYTES):
        self.size = size
        self.image, self.mount_point = folder / f"image-{number}", folder / f"disk-{number}"
        self.folder = self.mount_point / "cairn"
        self.mount_point.mkdir()

    def make(self):
        """A new, empty device: an old one may still be in use by what has it open."""
        self.image = self.image.with_name(self.image.name + "-new")
        with open(self.image, "wb") as file:
            file.truncate(self.size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(self.image)], check=True)
        self.mount()
        self.folder.mkdir()

    def mount(self):
        made = subprocess.run(
            ["mount", "-o", "loop", str(self.image), str(self.mount_point)], capture_output=True, text=True
        )
        if made.returncode != 0:
            skip(f"faults beneath a file system need the right to mount: {made.stderr.strip()}")

    def abort(self):
        """As the file system does itself when it meets an error that it cannot bear (ext4(5), `abort`)."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.mount_point)], check=False, capture_output=True)

    def freeze(self):
        """Writes to it do not end any more; reads go on."""
        subprocess.run(["fsfreeze", "--freeze", str(self.mount_point)], check=True)

    def thaw(self):
        subprocess.run(["fsfreeze", "--unfreeze", str(self.mount_point)], check=False, capture_output=True)

    def is_attached(self):
        found = subprocess.run(["losetup", "-j", str(self.image)], capture_output=True, text=True)
        return "loop" in found.stdout

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.mount_point)], check=False, capture_output=True)

    def spoil(self, rng, share=0.1):
        """Noise in blocks of the device that hold something, beyond the file system's first tables."""
        subprocess.run(["sync", "-f", str(self.mount_point)], check=False)
        with open(self.image, "r+b") as file:
            for block in range(16 * MIB // 4096, self.size // 4096):
                file.seek(block * 4096)
                if rng.random() < share and any(file.read(4096)):
                    file.seek(block * 4096)
                    file.write(rng.randbytes(4096))


@contextlib.contextmanager
def raw_disks(folder, count=6, size=DISK_BYTES):
    """So many, made and mounted; unmounted in the end."""
    need("mkfs.ext4", "fsck.ext4", "losetup", "fsfreeze")
    made = [RawDisk(folder, number, size) for number in range(count)]
    try:
        for disk in made:
            disk.make()
        yield made
    finally:
        for disk in made:
            disk.thaw()
            disk.unmount()


def options(disks):
    """What a server is given to serve them."""
    return [option for disk in disks for option in ("--disk", str(disk.folder))]
