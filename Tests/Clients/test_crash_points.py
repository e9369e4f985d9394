"""Kills the server, or fails it, at every file call of an operation, one after the other (Tests/Faults).

`CAIRN_TEST_POINTS_STRIDE` chooses every so many-th call; 1 is all of them, as `make test-long` does."""

import os
import shutil
import time
import zlib

import pytest

from support.data import KIB, MIB
from support.points import KILLED, MODES, REPORT, Operation, Store, Sweep, load_until_checkpoint_is_due
from support.server import Server, destroy, lacks

STRIDE = int(os.environ.get("CAIRN_TEST_POINTS_STRIDE", "25"))
WORKERS = 2
# What came of each operation.
TOTALS = []


class PutSmall(Operation):
    """The first after a start: new segments on all disks."""

    name, floor = "put small", 180

    def prepare(self, store):
        store.restart()

    def act(self, store):
        store.put("small", store.fresh(20 * KIB))


class PutSmallAgain(Operation):
    """Into segments that are open."""

    name, floor = "put small again", 100

    def prepare(self, store):
        super().prepare(store)
        store.put("before", store.fresh(KIB))

    def act(self, store):
        store.put("small", store.fresh(20 * KIB))


class PutLarge(Operation):
    name, floor = "put large", 200

    def act(self, store):
        store.put("large", store.fresh(10 * MIB))


class Overwrite(Operation):
    """With what was named before becoming garbage."""

    name, floor = "overwrite", 150

    def prepare(self, store):
        super().prepare(store)
        store.put("over", store.fresh(1500 * KIB))

    def act(self, store):
        store.put("over", store.fresh(1200 * KIB))


class Part(Operation):
    name, floor = "multipart part", 100

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
    name, floor = "multipart complete", 80

    def prepare(self, store):
        super().prepare(store)
        store.put_part(store.upload, 2, store.fresh(1300 * KIB))

    def act(self, store):
        store.complete(store.upload)

    def afterwards(self, store):
        for upload in store.open_uploads():
            store.complete(upload)


class Abort(Complete):
    name, floor = "multipart abort", 80

    def act(self, store):
        store.abort(store.upload)

    def afterwards(self, store):
        self.end_uploads(store)


class Delete(Operation):
    name, floor = "delete", 90

    def prepare(self, store):
        super().prepare(store)
        store.put("deleted", store.fresh(1200 * KIB))

    def act(self, store):
        store.delete("deleted")


class Copy(Operation):
    name, floor = "copy", 80

    def prepare(self, store):
        super().prepare(store)
        store.put("source", store.fresh(1200 * KIB))

    def act(self, store):
        (digest,) = store.states["source"]
        source = {"Bucket": "archive", "Key": "source"}
        store.change("copy", digest, lambda: store.client.copy_object(Bucket="archive", Key="copy", CopySource=source))


class Start(Operation):
    """After a kill: tails are cut and written anew, promises made, the log of the database replayed."""

    name, floor = "start", 180

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

    name, floor = "metadata rebuild", 180

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

    name, floor, may_refuse = "repair of a disk", 350, True
    seconds = 60

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
        deadline = time.monotonic() + self.seconds
        while lacks(store.server.status()) and not store.faults.is_hit:
            assert time.monotonic() < deadline, f"not whole: {lacks(store.server.status())}"
            time.sleep(0.05)

    def recover(self, store):
        store.restart()
        if any(disk["state"] != "healthy" for disk in store.server.status()["disks"]):
            shutil.rmtree(self.disk(store, 2), ignore_errors=True)
            store.server.replace(self.disk(store, 2))

    def afterwards(self, store):
        store.server.wait_until_whole(self.seconds)


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

    name, floor, points_per_folder = "compaction", 40, 1
    speed, quiet, patience = 10, 0.5, 8
    # All disks are compacted one after the other, each by itself and in the same way: the calls of one count.
    match = "/disk-2/"
    rounds = 9

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

    name, floor, points_per_folder, is_long = "checkpoint", 60, 1, True
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


OPERATIONS = [PutSmall, PutSmallAgain, PutLarge, Overwrite, Part, Complete, Abort, Delete, Copy,
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
    assert sum(tally.points for tally in tallies.values()) >= operation.floor // STRIDE // len(MODES) * len(modes)


def modes_of(operation):
    """In a sample each operation is killed, and meets one other fault: not all the same."""
    if STRIDE == 1:
        return operation.modes
    others = [mode for mode in operation.modes if mode is not KILLED]
    return [KILLED, others[OPERATIONS.index(operation) % len(others)]]


def sweep(operation, mode, workers, template):
    # Where a sample begins differs from mode to mode, and is the same in every run.
    first = 1 + zlib.crc32(f"{operation.name} {mode.name}".encode()) % STRIDE
    return Sweep(operation, mode, workers, template, STRIDE, first).run()


def report(operation, tallies):
    lines = [f"{operation.name}, " + ("every call" if STRIDE == 1 else f"one call in {STRIDE}")]
    for name, tally in tallies.items():
        lines.append(f"  {name:32} {tally.points:5} points, {tally.refused:5} refused, {tally.ended:3} ended, "
                     f"{len(tally.violations)} violations")
    TOTALS.append(tallies)
    print("\n" + "\n".join(lines), flush=True)
    REPORT.extend(lines)


def test_summary():
    """All operations together, with those that failed."""
    if not TOTALS:
        pytest.skip("no operation was run")
    kills = {mode.name for mode in MODES if mode.kills}
    counts = [(name in kills, tally) for tallies in TOTALS for name, tally in tallies.items()]
    killed = sum(tally.points for is_kill, tally in counts if is_kill)
    failed = sum(tally.points for is_kill, tally in counts if not is_kill)
    violations = sum(len(tally.violations) for _, tally in counts)
    line = f"{len(TOTALS)} operations: {killed} points killed, {failed} points failed, {violations} violations"
    print("\n" + line)
    REPORT.append(line)
    assert killed > 0 and failed > 0
    assert violations == 0
