"""A study survives the loss of two disks and damage on a third, while it is being served.

Builds real imaging files, stores them with two S3 clients, destroys two whole disks and flips bytes on another under
the running server, reads everything back, replaces the two disks, and waits until every shard is counted as present
and verified again. Says in words what happens; ends with 1 at the first difference.
"""

import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import images

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Clients"))

from boto3.s3.transfer import TransferConfig  # noqa: E402
from support.commands import run  # noqa: E402
from support.server import Server, destroy, flip_bytes, lacks  # noqa: E402

BUCKET = "archive"
MIB = 1 << 20


def say(text: str):
    print(text, flush=True)


def size_of(paths) -> str:
    size = sum(path.stat().st_size for path in paths)
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


class Demo:
    def __init__(self, options, folder: pathlib.Path):
        self.options = options
        self.folder = folder
        self.server = Server(folder / "data", ["--scheme", options.scheme, "--disks", str(options.disks)])
        # Key → (file, SHA-256).
        self.stored = {}

    def play(self):
        say("1. The images")
        self.build()
        say("2. The store")
        self.server.start()
        self.disks = self.server.disks()
        say(f"   cairn serves S3 at {self.server.url} over {len(self.disks)} disks, scheme {self.options.scheme}.")
        self.upload()
        say("3. The harm, while it serves")
        self.harm()
        say("4. Everything back")
        self.read_all()
        say("5. New disks")
        self.replace()
        say("6. Everything once more, now with the two other disks of the first ones gone")
        for disk in self.disks[-2:]:
            destroy(disk)
        self.read_all()
        self.server.stop()
        say("Done: not one byte differs.")

    def build(self):
        self.examples = images.examples()
        say(f"   {len(self.examples)} DICOM files from inside pydicom, {size_of(self.examples)}.")
        started = time.monotonic()
        self.study = images.build_study(self.folder / "study", self.options.slices)
        self.slide = images.build_slide(self.folder / "slide.dcm", self.options.slide_mib * MIB)
        say(f"   A CT study of {len(self.study)} slices, {size_of(self.study)}, and a whole-slide-like file of "
            f"{size_of([self.slide])}, built in {time.monotonic() - started:.0f} s.")

    def upload(self):
        client = self.server.client()
        client.create_bucket(Bucket=BUCKET)
        started = time.monotonic()
        run(self.server, self.folder, "aws", "s3", "sync", "--only-show-errors", self.folder / "study",
            f"s3://{BUCKET}/study")
        for path in self.study:
            self.stored[f"study/{path.name}"] = path
        say(f"   awscli stored the study in {time.monotonic() - started:.0f} s.")
        started = time.monotonic()
        client.upload_file(str(self.slide), BUCKET, "slide.dcm",
                           Config=TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=4))
        self.stored["slide.dcm"] = self.slide
        for number, path in enumerate(self.examples):
            key = f"examples/{number:03}/{path.name}"
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes(), ContentType="application/dicom")
            self.stored[key] = path
        say(f"   boto3 stored the slide in parts, and the examples, in {time.monotonic() - started:.0f} s.")
        self.digests = {key: images.sha256(path) for key, path in self.stored.items()}

    def harm(self):
        self.lost = [self.disks[0], self.disks[2]]
        damaged = self.disks[1]
        for disk in self.lost:
            destroy(disk)
            say(f"   Disk {disk.name}: every file truncated, then the whole tree removed.")
        flipped = flip_bytes(damaged, self.options.flips, random.Random("demo"))
        if flipped == 0:
            raise SystemExit("demo: there was nothing to flip")
        say(f"   Disk {damaged.name}: {flipped} bytes flipped at random places.")

    def read_all(self):
        started = time.monotonic()
        back = self.folder / "back"
        client = self.server.client()
        run(self.server, self.folder, "aws", "s3", "sync", "--only-show-errors", f"s3://{BUCKET}/study", back)
        bad = [key for key in self.stored if key.startswith("study/")
               and images.sha256(back / key.removeprefix("study/")) != self.digests[key]]
        for key in self.stored:
            if not key.startswith("study/"):
                client.download_file(BUCKET, key, str(self.folder / "one"))
                if images.sha256(self.folder / "one") != self.digests[key]:
                    bad.append(key)
        shutil.rmtree(back)
        if bad:
            raise SystemExit(f"demo: {len(bad)} objects came back different: {bad[:5]}")
        say(f"   {len(self.stored)} objects read back in {time.monotonic() - started:.0f} s; every SHA-256 is the "
            "one that was stored.")

    def replace(self):
        before = lacks(self.server.status())
        say(f"   The status counts: {', '.join(f'{count:,} {name}' for name, count in before.items())}.")
        for disk in self.lost:
            self.server.replace(disk)
            say(f"   cairn admin disk replace {disk.name}")
        started = time.monotonic()
        self.server.wait_until_whole(seconds=self.options.repair_seconds)
        say(f"   After {time.monotonic() - started:.0f} s every shard is counted as present and verified.")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the cairn program; the release build of this checkout by default")
    parser.add_argument("--slices", type=int, default=500, help="slices of the study")
    parser.add_argument("--slide-mib", type=int, default=2048, help="MiB of the whole-slide-like file")
    parser.add_argument("--flips", type=int, default=1000, help="bytes to flip on the third disk")
    parser.add_argument("--disks", type=int, default=6)
    parser.add_argument("--scheme", default="rs-3-3", help="two disks and bytes of a third may be three losses of one "
                        "stripe, which three parities survive and the two of rs-4-2 do not")
    parser.add_argument("--repair-seconds", type=int, default=600, help="how long the repair may take")
    parser.add_argument("--folder", help="where to work; a temporary folder by default")
    return parser.parse_args()


def main():
    options = parse()
    if options.binary:
        os.environ["CAIRN_BINARY"] = str(pathlib.Path(options.binary).resolve())
    with tempfile.TemporaryDirectory(prefix="cairn-demo-", dir=options.folder) as folder:
        demo = Demo(options, pathlib.Path(folder))
        try:
            demo.play()
        finally:
            demo.server.kill()


if __name__ == "__main__":
    main()
