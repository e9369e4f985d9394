"""Every file call of an operation killed or failed in turn, and every promise looked at afterwards."""

import collections
import contextlib
import dataclasses
import errno
import http.client
import itertools
import shutil
import subprocess
import threading
import time
import traceback

from botocore.exceptions import BotoCoreError, ClientError

from .data import KIB, noise, sha256
from .faults import ALLOCATE, CHANGES, DELAY, FAIL, KILL, NAME, READ, SHORT, SYNC, TORN, WRITE, Faults
from .server import Server

BUCKET = "archive"
ABSENT = "absent"
OPEN, GONE = "open", "gone"

# Four disks, of which two may go: with fewer calls than six, and starts that take less, and the same code.
DISKS = 4
SHAPE = ["--disks", str(DISKS), "--scheme", "rs-2-2"]
# A process that was told to die is dead within this time; one that lives on is a fault of the library.
DEATH_SECONDS = 120
# Calls no longer reached in a row until an operation counts as over: their number varies a little.
MISSES = 3
# Which call is the n-th differs from run to run, most where something goes on in the background. One that is not made
# is asked for so many times in a whole run, before it counts as no longer reached.
TRIES = 5
# In a whole run the calls are counted first, so many times, with nothing befalling them. So much of the fewest must be
# reached then, in each mode by itself.
COUNTING_RUNS = 3
REACHED_SHARE = 0.9
# What an operation has freed is erased within half a second of the server's time: within so much on any machine.
ERASURE_SECONDS = 60
# After so many violations of one operation there is nothing to learn from more.
VIOLATION_LIMIT = 10
# What a client is told when a change could not be made.
REFUSED = (500, 503, 507)
# How long a call is kept waiting. A server whose time passes ten times faster finds it ten times longer.
DELAY_SECONDS = 0.3
# A store whose database failed ends its process within this time, to be started anew.
END_SECONDS = 120
# What was counted, shown at the end of the run.
REPORT = []


# A checkpoint is due after 50,000 journal records.
CHECKPOINT_RECORDS = 50_500
LOAD_SECONDS = 600


def load_until_checkpoint_is_due(server: Server):
    """Half a minute of small PUTs and DELETEs."""
    deadline = time.monotonic() + LOAD_SECONDS
    while (sequence := server.status()["journal"]["sequence"]) < CHECKPOINT_RECORDS:
        assert time.monotonic() < deadline, f"only {sequence} records"
        # Each object is two records.
        count = max(100, (CHECKPOINT_RECORDS - sequence) // 2)
        server.run("bench", "put", "--endpoint", server.url, "--access-key", server.access_key,
                   "--secret-key", server.secret_key, "--size", "16", "--count", count,
                   "--concurrency", "32", "--quiet")


class Violation(AssertionError):
    """A promise that was not kept."""


def check(condition, text):
    if not condition:
        raise Violation(text)


@dataclasses.dataclass(frozen=True)
class Mode:
    """What happens at the n-th of which calls."""

    name: str
    action: int
    kinds: int
    error: int = errno.EIO

    @property
    def kills(self) -> bool:
        return self.action in (KILL, TORN)

    @property
    def delays(self) -> bool:
        return self.action == DELAY

    @property
    def outcome(self) -> str:
        return "killed" if self.kills else "delayed" if self.delays else "failed"

    @property
    def spares_the_disk(self) -> bool:
        """Nothing that was written is lost, and no disk may be given up for it."""
        return self.delays or self.kinds == READ


KILLED = Mode("killed before the call", KILL, CHANGES)
TORN_APART = Mode("killed half-way through a write", TORN, WRITE)
INPUT_OUTPUT = Mode("EIO", FAIL, WRITE | ALLOCATE | NAME)
SYNC_ERROR = Mode("error of a sync", FAIL, SYNC)
NO_SPACE = Mode("ENOSPC", FAIL, WRITE | ALLOCATE | NAME, errno.ENOSPC)
SHORT_WRITE = Mode("short write", SHORT, WRITE, errno.EIO)
READ_ERROR = Mode("EIO of a read", FAIL, READ)
DELAYED = Mode("delayed", DELAY, CHANGES | READ)

# Faults of calls that change a disk; and those that take nothing away, of calls that read it, or of any.
CHANGING = [KILLED, TORN_APART, INPUT_OUTPUT, SYNC_ERROR, NO_SPACE, SHORT_WRITE]
READING = [READ_ERROR, DELAYED]
MODES = CHANGING + READING


class Store:
    """A server over a folder of its own, and what it has promised: for every key and upload the states it may be in.
    One state when the last change was acknowledged, more when a change was cut off; what was seen once stays."""

    def __init__(self, folder, speed: int):
        self.folder = folder
        folder.mkdir(parents=True)
        self.faults = Faults(folder / "data", folder / "control", speed)
        self.server = Server(folder / "data", SHAPE, environment=self.faults.environment())
        self.client = self.server.client(timeout=60, connections=4)
        self.states, self.uploads, self.sequence = {}, {}, 0

    # Life

    def begin(self):
        """A new, empty store."""
        self.server.start()
        self.client.create_bucket(Bucket=BUCKET)

    def copy_from(self, template: "Store"):
        """Everything as it was when the template was stopped; not started."""
        self.end()
        # Room that was only reserved is not read and not written.
        subprocess.run(
            ["cp", "-a", "--sparse=always", str(template.server.data), str(self.server.data)], check=True
        )
        self.states = {key: set(states) for key, states in template.states.items()}
        self.uploads = {}

    def end(self):
        self.faults.disarm()
        self.server.kill()
        shutil.rmtree(self.server.data, ignore_errors=True)

    def restart(self):
        if self.server.is_alive():
            self.server.stop()
        self.server.kill()
        self.server.start()

    # Changes

    def fresh(self, size: int) -> bytes:
        """Bytes that were not written before: any mixture of old and new shows."""
        self.sequence += 1
        stamp = f"{self.folder.name}/{self.sequence:08d}/".encode()
        pattern = noise(min(size, 64 * KIB), size % 7)
        line = stamp + pattern
        return (line * (size // len(line) + 1))[:size]

    def change(self, key: str, state: str, request):
        before = self.states.get(key, {ABSENT})
        self.states[key] = before | {state}
        request()
        self.states[key] = {state}

    def put(self, key: str, data: bytes):
        self.change(key, sha256(data), lambda: self.client.put_object(Bucket=BUCKET, Key=key, Body=data))

    def delete(self, key: str):
        self.change(key, ABSENT, lambda: self.client.delete_object(Bucket=BUCKET, Key=key))

    @property
    def upload(self) -> str:
        """The upload that was begun last."""
        return next(reversed(self.uploads))

    def open_uploads(self) -> list[str]:
        return [upload for upload, state in self.uploads.items() if OPEN in state["states"]]

    def begin_upload(self, key: str) -> str:
        upload = self.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        self.uploads[upload] = {"key": key, "states": {OPEN}, "parts": {}, "digest": None}
        return upload

    def put_part(self, upload: str, number: int, data: bytes):
        parts, key = self.uploads[upload]["parts"], self.uploads[upload]["key"]
        before = parts.get(number, {None})
        parts[number] = before | {data}
        self.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=data)
        parts[number] = {data}

    def complete(self, upload: str):
        """All its parts are acknowledged."""
        state = self.uploads[upload]
        bodies = [next(iter(state["parts"][number])) for number in sorted(state["parts"])]
        listed = self.client.list_parts(Bucket=BUCKET, Key=state["key"], UploadId=upload)["Parts"]
        parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed]
        state["states"], state["digest"] = {OPEN, GONE}, sha256(b"".join(bodies))
        self.change(state["key"], state["digest"], lambda: self.client.complete_multipart_upload(
            Bucket=BUCKET, Key=state["key"], UploadId=upload, MultipartUpload={"Parts": parts}
        ))
        state["states"] = {GONE}

    def abort(self, upload: str):
        state = self.uploads[upload]
        state["states"] = {OPEN, GONE}
        self.client.abort_multipart_upload(Bucket=BUCKET, Key=state["key"], UploadId=upload)
        state["states"] = {GONE}

    # Promises

    def verify(self):
        """Everything acknowledged byte for byte, everything else old or new, listings that agree with it."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {item["Key"]: item for page in pages for item in page.get("Contents", [])}
        for key, allowed in self.states.items():
            found = self.read(key, listed.get(key))
            check(found in allowed, f"{key} reads as {found[:12]}, none of {sorted(each[:12] for each in allowed)}")
            self.states[key] = {found}
        strangers = set(listed) - set(self.states)
        check(not strangers, f"listed, and never written: {sorted(strangers)[:5]}")
        self.verify_uploads()

    def read(self, key, item) -> str:
        try:
            answer = self.client.get_object(Bucket=BUCKET, Key=key)
            body = answer["Body"].read()
        except ClientError as error:
            check(error.response["Error"]["Code"] == "NoSuchKey", f"GET of {key}: {error}")
            check(item is None, f"{key} is listed, and does not exist")
            return ABSENT
        check(item is not None, f"{key} exists, and is not listed")
        check((item["Size"], item["ETag"]) == (len(body), answer["ETag"]), f"{key} is listed as {item}")
        return sha256(body)

    def verify_uploads(self):
        listed = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        found = {upload["UploadId"] for upload in listed}
        strangers = found - set(self.uploads)
        check(not strangers, f"uploads that nobody began: {strangers}")
        for upload, state in self.uploads.items():
            now = OPEN if upload in found else GONE
            check(now in state["states"], f"an upload of {state['key']} is {now}, not {state['states']}")
            if state["digest"] is not None and len(state["states"]) > 1:
                is_new = self.states[state["key"]] == {state["digest"]}
                check(is_new == (now == GONE), f"{state['key']} {is_new=}, and its upload is {now}")
            state["states"] = {now}
            if now == OPEN:
                self.verify_parts(upload, state)
        self.uploads = {upload: state for upload, state in self.uploads.items() if state["states"] == {OPEN}}

    def verify_parts(self, upload, state):
        answer = self.client.list_parts(Bucket=BUCKET, Key=state["key"], UploadId=upload)
        sizes = {part["PartNumber"]: part["Size"] for part in answer.get("Parts", [])}
        for number, allowed in state["parts"].items():
            expected = {None if body is None else len(body) for body in allowed}
            check(sizes.get(number) in expected, f"part {number} of {state['key']}: {sizes.get(number)}, {expected}")
            state["parts"][number] = {body for body in allowed if (body and len(body)) == sizes.get(number)}

    def is_writable(self):
        try:
            self.put("probe", self.fresh(3 * KIB))
        except (ClientError, BotoCoreError) as error:
            raise Violation(f"not writable: {error}") from error
        check(self.read("probe", self.item("probe")) in self.states["probe"], "the probe reads as something else")

    def wait_for_erasures(self, until=lambda: False):
        """Until no blob waits to be erased, or `until`; also when the process has ended."""
        deadline = time.monotonic() + ERASURE_SECONDS
        while self.server.is_alive() and not until():
            # A server that was just killed answers half, one whose database failed without this number.
            with contextlib.suppress(OSError, http.client.HTTPException, StopIteration):
                if self.server.metric("cairn_dead_blobs") == 0:
                    return
            check(time.monotonic() < deadline, f"has not erased what was freed\n{self.server.tail()}")
            time.sleep(0.02)

    def is_whole(self):
        """Every shard is found again, and verified."""
        self.server.admin("scrub")
        try:
            self.server.wait_until_whole()
        except AssertionError as error:
            raise Violation(str(error)) from error

    def item(self, key):
        return self.client.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"][0]

    def wait_for_death(self):
        try:
            self.server.process.wait(DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            raise Violation("lives on after SIGKILL") from None
        self.server.kill()

    def wait_for_end(self):
        """It ends by itself, and says so to whoever started it."""
        try:
            status = self.server.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise Violation(f"refuses everything, and lives on\n{self.server.tail()}") from None
        check(status != 0, "ends by itself as if nothing had happened")
        check("/metadata/" in self.faults.hit, f"ends for a fault of one disk\n{self.server.tail()}")
        self.server.kill()


class Operation:
    """One thing a store does. `prepare` brings it about with no faults; then `act` is cut short at its n-th call."""

    name = "operation"
    # What is done to its calls.
    modes = CHANGING
    # Where calls that read are thousands and alike, disk after disk: a sample takes so many times fewer of them.
    reading_stride = 1
    # How many points a whole run finds at least, over all modes, so that a library that does nothing cannot pass.
    floor = 50
    # Points tried on one folder before it is made anew from the template.
    points_per_folder = 20
    # How many times faster monotonic time passes in the server.
    speed = 5
    # The operation is over when it makes no call for `quiet` seconds, or after `patience`.
    quiet, patience = 0.06, 3
    # It frees blobs, or has before it: what erases them in the background is part of it.
    erases = False
    # A command may say no when a disk fails; a start goes on without it.
    may_refuse = False
    # Too long for a sample.
    is_long = False

    def match(self, number: int) -> str:
        """At the point of that number, only calls on paths that hold this count."""
        return ""

    def make_template(self, store: Store):
        """What every folder of the operation begins with."""
        store.begin()
        for number, size in enumerate([0, 700, 20 * KIB, 300 * KIB, 1100 * KIB]):
            store.put(f"kept/{number}", store.fresh(size))

    def prepare(self, store: Store):
        if not store.server.is_alive():
            store.server.start()

    def act(self, store: Store):
        raise NotImplementedError

    def recover(self, store: Store):
        """Brings a store up again, however it was left."""
        store.restart()

    def afterwards(self, store: Store):
        """What must still be possible then."""


@dataclasses.dataclass
class Tally:
    """What came of one mode of one operation."""

    points: int = 0
    # How many calls it made at least when nothing befell it; 0 in a sample, where nobody counts.
    calls: int = 0
    # How often each call was asked for, and which were met.
    tries: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    reached: set = dataclasses.field(default_factory=set)
    refused: int = 0
    ended: int = 0
    violations: list = dataclasses.field(default_factory=list)

    @property
    def missed(self) -> list[int]:
        """Calls that were asked for and never made, although later ones were."""
        return sorted(number for number in self.tries.keys() - self.reached if number < max(self.reached, default=0))

    @property
    def is_short(self) -> bool:
        """Fewer calls met their fault than it makes."""
        return self.points < self.calls * REACHED_SHARE


class Sweep:
    """n = 1, 2, 3 … of one operation in one mode, on several stores at once."""

    def __init__(self, operation: Operation, mode: Mode, stores, template: Store, stride: int, first: int):
        self.operation, self.mode, self.stores, self.template = operation, mode, stores, template
        self.first, self.stride = first, stride
        self.numbers = itertools.count(first, stride)
        # In a sample the next call is far beyond the last.
        self.limit, self.tries = (MISSES, TRIES) if stride == 1 else (1, 1)
        self.lock, self.misses, self.tally = threading.Lock(), 0, Tally()
        # Calls that were missed and are asked for again.
        self.again = []

    def run(self) -> Tally:
        """A sample that begins behind the last call begins earlier, until it meets one."""
        if self.stride == 1:
            self.tally.calls = self.count()
        self.try_all()
        while self.stride > 1 and self.first > 1 and self.tally.points == 0:
            self.first //= 2
            self.numbers, self.misses = itertools.count(self.first, self.stride), 0
            self.try_all()
        return self.tally

    def count(self) -> int:
        """How many calls the operation makes at least when nothing befalls it."""
        store, counts = self.stores[0], []
        for run in range(COUNTING_RUNS):
            if run % self.operation.points_per_folder == 0:
                store.copy_from(self.template)
            self.point(store, 0)
            counts.append(store.faults.counted)
        return min(counts)

    def try_all(self):
        threads = [threading.Thread(target=self.work, args=(store,)) for store in self.stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def work(self, store: Store):
        used = self.operation.points_per_folder
        while (number := self.next_number()) is not None:
            if used >= self.operation.points_per_folder:
                store.copy_from(self.template)
                used = 0
            used += 1
            if not self.attempt(store, number):
                used = self.operation.points_per_folder

    def next_number(self) -> int | None:
        """The call to try next; None when the operation is over."""
        with self.lock:
            if len(self.tally.violations) >= VIOLATION_LIMIT or (self.misses >= self.limit and not self.again):
                return None
            number = self.again.pop() if self.again else next(self.numbers)
            self.tally.tries[number] += 1
            return number

    def note(self, number: int, is_reached: bool):
        with self.lock:
            if is_reached:
                self.misses = 0
                self.tally.points += 1
                self.tally.reached.add(number)
            elif self.tally.tries[number] < self.tries:
                self.again.append(number)
            else:
                self.misses += 1

    def attempt(self, store: Store, number: int) -> bool:
        """One point; false when the folder is of no more use."""
        try:
            self.note(number, self.point(store, number))
            return True
        except Exception as error:  # Whatever it is, it is reported with the point it happened at.
            where = "" if isinstance(error, Violation) else traceback.format_exc(limit=-3)
            text = f"{self.operation.name}, {self.mode.name}, call {number} ({store.faults.hit}): {error}\n{where}"
            if not store.server.is_alive():
                text += f"The server has ended:\n{store.server.tail()}\n"
            self.note(number, True)
            with self.lock:
                self.tally.violations.append(text)
            return False

    def point(self, store: Store, number: int) -> bool:
        operation, mode, faults = self.operation, self.mode, store.faults
        operation.prepare(store)
        if operation.erases:
            store.wait_for_erasures()
        faults.settle(operation.quiet, operation.patience)
        faults.arm(number, mode.action, mode.kinds, mode.error, operation.match(number), DELAY_SECONDS)
        try:
            operation.act(store)
            self.settle(store)
        except (ClientError, BotoCoreError, RuntimeError) as error:
            check(faults.is_hit, f"fails without a fault: {error}")
            self.look_at_refusal(store, error)
        finally:
            faults.disarm()
        if faults.is_hit and mode.kills and store.server.process is not None:
            store.wait_for_death()
        elif store.server.process is not None:
            self.look_at_survivor(store)
        if faults.is_hit or not store.server.is_alive():
            operation.recover(store)
            store.verify()
            operation.afterwards(store)
            store.is_writable()
        if faults.is_hit and mode.spares_the_disk:
            store.is_whole()
        return faults.is_hit

    def settle(self, store: Store):
        """Until the fault is met, or the operation has made its last call, that of erasing what it has freed as well.
        Asking a store whether it has erased all reads its disks: where reads count nobody asks, and what of the erasure
        comes in time is chance."""
        operation, faults = self.operation, store.faults
        if operation.erases and not self.mode.kinds & READ:
            store.wait_for_erasures(lambda: faults.is_hit)
        faults.settle(operation.quiet, operation.patience, lambda: faults.is_hit)

    def look_at_refusal(self, store: Store, error):
        """A process that lives says no in the words of S3, a command with its status; one that ends says nothing."""
        with self.lock:
            self.tally.refused += 1
        if self.mode.kills:
            return
        check(not self.mode.delays, f"refused for a delay: {error}")
        if isinstance(error, RuntimeError):
            of_a_disk = "/disks/" in store.faults.hit
            check(self.operation.may_refuse or not of_a_disk, f"refused for a fault of one disk: {error}")
        elif isinstance(error, ClientError):
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            check(status in REFUSED, f"refused with {status}: {error}")
            is_spared = self.mode.spares_the_disk and "/metadata/" not in store.faults.hit
            check(not is_spared, f"refused for what one disk could not read: {error}")
        else:
            store.wait_for_end()

    def look_at_survivor(self, store: Store):
        """Whatever failed, it serves on; only without its database it must end, and is started anew."""
        try:
            store.verify()
            store.is_writable()
        except (ClientError, BotoCoreError, Violation):
            if "/metadata/" not in store.faults.hit:
                raise
            store.wait_for_end()
            with self.lock:
                self.tally.ended += 1
