"""Kills, fails or delays the server at every file call of an operation, one after the other (Tests/Faults).

`CAIRN_TEST_POINTS_STRIDE` chooses every so many-th call; 1 is all of them, as `make test-long` does."""

import os
import shutil
import time
import zlib

import pytest

from support.data import KIB, MIB, sha256
from support.points import (
    ABSENT, BUCKET, CHANGING, DELAYED, DISKS, KILLED, MODES, READ_ERROR, READING, REPORT, Operation, Store, Sweep,
    check, load_until_checkpoint_is_due,
)
from support.server import WHOLE_SECONDS, Server, destroy, lacks

STRIDE = int(os.environ.get("CAIRN_TEST_POINTS_STRIDE", "25"))
WORKERS = 2
# What came of each operation.
TOTALS = []


class PutSmall(Operation):
    """The first after a start: new segments on all disks."""

    name, floor, modes = "put small", 180, [*CHANGING, DELAYED]
    erases = True

    def prepare(self, store):
        store.restart()

    def act(self, store):
        store.put("small", store.fresh(20 * KIB))


class PutSmallAgain(Operation):
    """Into segments that are open."""

    name, floor, modes = "put small again", 100, [*CHANGING, DELAYED]
    erases = True

    def prepare(self, store):
        super().prepare(store)
        store.put("before", store.fresh(KIB))

    def act(self, store):
        store.put("small", store.fresh(20 * KIB))


class PutLarge(Operation):
    name, floor, modes = "put large", 200, [*CHANGING, DELAYED]
    erases = True

    def act(self, store):
        store.put("large", store.fresh(10 * MIB))


class Overwrite(Operation):
    """With what was named before becoming garbage."""

    name, floor, modes = "overwrite", 150, [*CHANGING, DELAYED]
    erases = True

    def prepare(self, store):
        super().prepare(store)
        store.put("over", store.fresh(1500 * KIB))

    def act(self, store):
        store.put("over", store.fresh(1200 * KIB))


class Part(Operation):
    name, floor, modes = "multipart part", 100, [*CHANGING, DELAYED]
    erases = True

    def prepare(self, store):
        super().prepare(store)
        self.end_uploads(store)
        store.put_part(store.begin_upload("parts"), 1, store.fresh(5 * MIB))

    def end_uploads(self, store):
        for upload in store.open_uploads():
            store.abort(upload)

    def act(self, store):
        store.put_part(store.upload, 2, store.fresh(1300 * KIB))

    def afterwards(self, store):
        """A part that was cut off is sent again."""
        store.put_part(store.upload, 2, store.fresh(1400 * KIB))
        store.complete(store.upload)


class Complete(Part):
    name, floor, modes = "multipart complete", 80, [*CHANGING, DELAYED]

    def prepare(self, store):
        super().prepare(store)
        store.put_part(store.upload, 2, store.fresh(1300 * KIB))

    def act(self, store):
        store.complete(store.upload)

    def afterwards(self, store):
        for upload in store.open_uploads():
            store.complete(upload)


class Abort(Complete):
    name, floor, modes = "multipart abort", 80, [*CHANGING, DELAYED]

    def act(self, store):
        store.abort(store.upload)

    def afterwards(self, store):
        self.end_uploads(store)


class Delete(Operation):
    name, floor, modes = "delete", 90, [*CHANGING, DELAYED]
    erases = True

    def prepare(self, store):
        super().prepare(store)
        store.put("deleted", store.fresh(1200 * KIB))

    def act(self, store):
        store.delete("deleted")


class Get(Operation):
    """Of everything, whole and in part, by a server that has none of it in memory."""

    name, floor, modes = "get", 40, READING
    part = slice(70_000, 900_001)

    def prepare(self, store):
        if "large" not in store.states:
            super().prepare(store)
            store.put("large", store.fresh(3 * MIB))
        store.restart()

    def act(self, store):
        for key, (digest,) in sorted(store.states.items()):
            if digest != ABSENT:
                body = self.get(store, key)
                check(sha256(body) == digest, f"{key} reads as something else, {len(body)} bytes")
        asked = f"bytes={self.part.start}-{self.part.stop - 1}"
        check(self.get(store, "large", Range=asked) == self.get(store, "large")[self.part], "a range reads wrong")

    def get(self, store, key, **options) -> bytes:
        return store.client.get_object(Bucket=BUCKET, Key=key, **options)["Body"].read()


class Copy(Operation):
    name, floor, modes = "copy", 100, MODES
    erases = True

    def prepare(self, store):
        super().prepare(store)
        store.put("source", store.fresh(1200 * KIB))

    def act(self, store):
        (digest,) = store.states["source"]
        source = {"Bucket": BUCKET, "Key": "source"}
        store.change("copy", digest, lambda: store.client.copy_object(Bucket=BUCKET, Key="copy", CopySource=source))


class Start(Operation):
    """After a kill: tails are cut and written anew, promises made, the log of the database replayed."""

    name, floor, modes, reading_stride = "start", 180, MODES, 10

    def prepare(self, store):
        super().prepare(store)
        store.put("small", store.fresh(20 * KIB))
        store.put("large", store.fresh(1200 * KIB))
        store.delete("small")
        store.put("small", store.fresh(30 * KIB))
        store.server.kill()

    def act(self, store):
        store.server.start()

    def recover(self, store):
        store.restart()


class Rebuild(Operation):
    """The database and its index gone: made anew from the disks, by a command that may be run again."""

    name, floor, modes, reading_stride = "metadata rebuild", 180, MODES, 10

    def prepare(self, store):
        if store.server.is_alive():
            store.server.stop()
        shutil.rmtree(store.server.data / "metadata")

    def act(self, store):
        self.rebuild(store, store.faults.environment())

    def rebuild(self, store, environment=None):
        store.server.run("metadata", "rebuild", "--data", store.server.data, environment=environment)

    def recover(self, store):
        self.rebuild(store)
        store.restart()


class ReplaceDisk(Operation):
    """A disk lost, another in its place: everything it held is made anew."""

    name, floor, modes, reading_stride = "repair of a disk", 350, MODES, 5
    may_refuse = True

    def prepare(self, store):
        super().prepare(store)
        destroy(self.disk(store, 2))

    def disk(self, store, number):
        return store.server.data / f"sites/site-1/nodes/node-1/disks/disk-{number}"

    def act(self, store):
        store.server.replace(self.disk(store, 2))
        self.wait(store)

    def wait(self, store):
        """Until all is whole, or the fault is met."""
        deadline = time.monotonic() + WHOLE_SECONDS
        while lacks(store.server.status()) and not store.faults.is_hit:
            assert time.monotonic() < deadline, f"not whole: {lacks(store.server.status())}"
            time.sleep(0.05)

    def recover(self, store):
        store.restart()
        if any(disk["state"] != "healthy" for disk in store.server.status()["disks"]):
            shutil.rmtree(self.disk(store, 2), ignore_errors=True)
            store.server.replace(self.disk(store, 2))

    def afterwards(self, store):
        store.server.wait_until_whole()


class RepairShards(ReplaceDisk):
    """The segments of a disk lost, found by verification."""

    name, floor = "repair of shards", 120

    def prepare(self, store):
        if store.server.is_alive():
            store.server.stop()
        for path in (self.disk(store, 3) / "segments").rglob("*"):
            if path.is_file():
                path.unlink()
        store.server.start()

    def act(self, store):
        store.server.admin("scrub")
        self.wait(store)

    def recover(self, store):
        store.restart()
        store.server.admin("scrub")


class Compaction(Operation):
    """Small segments, as many restarts leave them, and half of what they hold deleted."""

    name, floor, points_per_folder, modes, reading_stride = "compaction", 40, 1, MODES, 5
    speed, quiet, patience = 10, 0.5, 8
    rounds = 9

    def match(self, number):
        """All disks are compacted one after the other, each by itself and in the same way: the calls of one count, of
        the first as of the last, with the others compacted before or not yet."""
        return f"/disk-{1 + number % DISKS}/"

    def make_template(self, store):
        super().make_template(store)
        for number in range(self.rounds):
            store.put(f"small/{number}", store.fresh(9 * KIB))
            store.put(f"large/{number}", store.fresh(1200 * KIB))
            if number % 2:
                store.delete(f"small/{number}")
                store.delete(f"large/{number}")
            store.restart()

    def prepare(self, store):
        store.server.start()

    def act(self, store):
        """It comes by itself."""
        deadline = time.monotonic() + self.patience
        while store.faults.counted == 0 and time.monotonic() < deadline:
            time.sleep(0.01)


class Checkpoint(Operation):
    """Of all metadata, after as many journal records as make one due."""

    name, floor, points_per_folder, modes, is_long = "checkpoint", 60, 1, MODES, True
    quiet, patience = 0.3, 5

    def make_template(self, store):
        super().make_template(store)
        store.server.stop()
        # Not with faster time: it is half a minute of load.
        loaded = Server(store.server.data, store.server.arguments)
        loaded.start()
        try:
            load_until_checkpoint_is_due(loaded)
        finally:
            loaded.kill()
        store.server.start()

    def prepare(self, store):
        store.server.start()

    def act(self, store):
        deadline = time.monotonic() + self.patience
        while store.faults.counted == 0 and time.monotonic() < deadline:
            time.sleep(0.01)


OPERATIONS = [PutSmall, PutSmallAgain, PutLarge, Overwrite, Part, Complete, Abort, Delete, Get, Copy,
              Start, Rebuild, ReplaceDisk, RepairShards, Compaction, Checkpoint]


class Stores:
    """The stores of all tests: templates, which many operations share, and those that are worked on."""

    def __init__(self, folder):
        self.folder, self.templates, self.made = folder, {}, []

    def make(self, speed) -> Store:
        self.made.append(Store(self.folder / f"store-{len(self.made)}", speed))
        return self.made[-1]

    def template(self, operation) -> Store:
        key = (type(operation).make_template, operation.speed)
        if key not in self.templates:
            store = self.templates[key] = self.make(operation.speed)
            operation.make_template(store)
            # Else the second disk that an operation loses could be one too many.
            store.server.wait_until_whole()
            store.server.stop()
            assert store.faults.loaded > 0, "the server did not take the library up"
        return self.templates[key]

    def end(self):
        for store in self.made:
            store.end()


@pytest.fixture(scope="module")
def stores(fast_folder):
    stores = Stores(fast_folder)
    yield stores
    stores.end()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name.replace(" ", "-"))
def test_points(operation, stores):
    if operation.is_long and STRIDE > 1:
        pytest.skip("takes too long for a sample: CAIRN_TEST_POINTS_STRIDE=1 runs it")
    modes = modes_of(operation)
    operation = operation()
    template = stores.template(operation)
    workers = [stores.make(operation.speed) for _ in range(WORKERS)]
    try:
        tallies = {mode.name: sweep(operation, mode, workers, template) for mode in modes}
    finally:
        for worker in workers:
            worker.end()
    report(operation, tallies)
    violations = [text for tally in tallies.values() for text in tally.violations]
    assert not violations, "\n".join(violations)
    # Not every operation reads.
    met = [tally.points > 0 or (STRIDE == 1 and name == READ_ERROR.name) for name, tally in tallies.items()]
    assert all(met), "a fault that met no call"
    short = {name: f"{tally.points} of {tally.calls}" for name, tally in tallies.items() if tally.is_short}
    assert not short, f"calls that met no fault: {short}"
    floor = operation.floor // STRIDE // len(operation.modes) * len(modes)
    assert sum(tally.points for tally in tallies.values()) >= floor


def modes_of(operation):
    """In a sample each operation is killed, fails to change something, and fails or waits when it reads: of each kind
    of fault one, and not all operations the same. In a whole run each mode, and every operation fails to read."""
    if STRIDE == 1:
        return [mode for mode in MODES if mode in operation.modes or mode is READ_ERROR]
    families = [[KILLED], [mode for mode in CHANGING if mode is not KILLED], READING]
    present = [[mode for mode in family if mode in operation.modes] for family in families]
    return [family[OPERATIONS.index(operation) % len(family)] for family in present if family]


def sweep(operation, mode, workers, template):
    stride = STRIDE * (operation.reading_stride if mode in READING and STRIDE > 1 else 1)
    # Where a sample begins differs from mode to mode, and is the same in every run.
    first = 1 + zlib.crc32(f"{operation.name} {mode.name}".encode()) % stride
    return Sweep(operation, mode, workers, template, stride, first).run()


def report(operation, tallies):
    lines = [f"{operation.name}, " + ("every call" if STRIDE == 1 else f"one call in {STRIDE}")]
    for name, tally in tallies.items():
        lines.append(f"  {name:32} {tally.points:5} points, {tally.refused:5} refused, {tally.ended:3} ended, "
                     f"{len(tally.violations)} violations")
        if tally.missed:
            lines.append(f"    never reached: {', '.join(map(str, tally.missed))}")
    TOTALS.append(tallies)
    print("\n" + "\n".join(lines), flush=True)
    REPORT.extend(lines)


def test_summary():
    """All operations together, with those that failed."""
    if not TOTALS:
        pytest.skip("no operation was run")
    points = {name: 0 for name in ("killed", "failed", "delayed")}
    for tallies in TOTALS:
        for mode in MODES:
            points[mode.outcome] += tallies[mode.name].points if mode.name in tallies else 0
    violations = sum(len(tally.violations) for tallies in TOTALS for tally in tallies.values())
    counts = ", ".join(f"{count} points {outcome}" for outcome, count in points.items())
    line = f"{len(TOTALS)} operations: {counts}, {violations} violations"
    print("\n" + line)
    REPORT.append(line)
    assert all(points.values())
    assert violations == 0
