"""Load by `cairn bench`, and what the servers spent on it."""

import atexit
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from lab_support import LabError

from .disks import drop_caches

BUCKET = "cairn-bench"
WARM_UP_SECONDS = 3
TICKS = os.sysconf("SC_CLK_TCK")
# What an archive holds, as shares of the objects: 0.8 MB in the mean, a fifth of a megabyte for each shard of rs-4-2.
MIXTURE = {64 << 10: 40, 256 << 10: 28, 512 << 10: 14, 1 << 20: 8, 4 << 20: 7, 8 << 20: 3}


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that these processes have used so far; one that ended counts no more."""
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


class Meter:
    """Wall time, and CPU time of all processes of a store together, since it was made."""

    def __init__(self, store):
        self.store, self.began, self.cpu = store, time.monotonic(), cpu_seconds(store.pids())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.store.pids()) - self.cpu


class Load:
    """One running `cairn bench`."""

    def __init__(self, store, work: str, *options):
        self.result = tempfile.NamedTemporaryFile(suffix=".json")
        keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), store.credentials()))
        command = [store.binary, "bench", work, "--endpoint", f"http://{store.endpoint}", "--bucket", BUCKET,
                   "--no-cleanup", "--quiet", "--output", self.result.name, *map(str, options)]
        self.child = subprocess.Popen(command, env={**os.environ, **keys}, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # Whatever ends this program ends its load.
        atexit.register(self.child.kill)

    def finish(self, seconds: float = 600) -> dict:
        """Its report, once it has ended."""
        try:
            _, errors = self.child.communicate(timeout=seconds)
        finally:
            if self.child.poll() is None:
                self.child.kill()
        text = pathlib.Path(self.result.name).read_text()
        self.result.close()
        if not text:
            raise LabError(f"cairn bench gave no report: {errors.strip()}")
        return json.loads(text)

    def interrupt(self) -> dict:
        """Its report about what it did until now."""
        self.child.send_signal(signal.SIGINT)
        return self.finish(60)


def bench(store, work: str, *options) -> dict:
    """A load from its beginning to its end, in which nothing may fail."""
    report = Load(store, work, *options).finish()
    if report["errors"]:
        raise LabError(f"{work} {options}: {report['errors']} {report['errorExamples']}")
    return report


def fill(store, count: int, concurrency: int = 8) -> int:
    """Stores `count` objects of mixed sizes; gives their bytes."""
    total = 0
    for size, share in MIXTURE.items():
        number = max(1, count * share // sum(MIXTURE.values()))
        bench(store, "put", "--size", size, "--count", number, "--concurrency", concurrency,
              "--prefix", f"fill/{size}/")
        total += number * size
    return total


class Foreground:
    """Clients that read and write objects of one size at a steady, small concurrency, as an archive's do."""

    def __init__(self, store, options, prefix: str = "foreground/"):
        """Those of another prefix overwrite nothing that these have written."""
        self.store = store
        self.objects = ["--size", options.size, "--objects", options.objects, "--prefix", prefix]
        self.clients = ["--concurrency", options.clients]
        bench(store, "put", *self.objects, "--count", options.objects, "--concurrency", 8)
        # The first requests of a process are slower, and no part of what is measured.
        bench(store, "get", *self.objects, *self.clients, "--existing", "--duration", f"{WARM_UP_SECONDS}s")

    def start(self, seconds: float) -> Load:
        """What is read lies on the disks and in no cache, as what an archive reads."""
        drop_caches()
        return Load(self.store, "mixed", *self.objects, *self.clients, "--existing", "--mix", "get=50,put=50",
                    "--duration", f"{seconds:.0f}s")
