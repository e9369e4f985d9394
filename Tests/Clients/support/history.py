"""What clients asked of a store and what it answered, kept so that it can be judged afterwards.

Every written value is unique: its name decides its bytes, is in the object's metadata, and is found again by its ETag,
which conditions and lists name. Clients do not retry, so a request happens once, or nobody knows whether it did.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import threading
import time

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
)

from support.data import KIB, MIB, noise
from support.linearizability import ABSENT, Operation, Violation, violation

# Small ones are packed, those from 1 MiB on are stored by themselves.
SIZES = [1 * KIB] * 8 + [20 * KIB] * 6 + [300 * KIB] * 5 + [2 * MIB]
KEYS = 6
# A page of a list: fewer keys than there are, so that a list takes several.
PAGE = 4
# After so many writes of unknown outcome a key is left as it is, and another one takes its place.
UNKNOWN_WRITES = 12
# How long a client waits after an error before it goes to another node.
PACE = 0.15
# The answer that says that the store could not, now. Every other error is one of the store's or of these clients'.
EXCUSE = 503


def body_of(value: str) -> bytes:
    """The bytes of a value, which its name decides: `KEY=CLIENT.NUMBER.SIZE`."""
    return noise(int(value.rpartition(".")[2]), value)


@dataclasses.dataclass
class Page:
    """One answer to a list: which value each key has from `after` on, up to `last` if the list goes on."""

    name: str
    began: float
    ended: float
    after: str
    last: str | None
    values: dict[str, str]

    def covers(self, key: str) -> bool:
        return key > self.after and (self.last is None or key <= self.last)

    def read_of(self, key: str) -> Operation:
        """A list is a read of every key that it passes."""
        seen = self.values.get(key, ABSENT)
        return Operation(f"{self.name}: {seen}", self.began, self.ended, requires=seen)


class History:
    """All that was asked and answered in one round, and the keys that clients use in it."""

    def __init__(self, prefix: str, clock=time.monotonic):
        self.prefix, self.clock = prefix, clock
        self.lock = threading.Lock()
        self.origin = clock()
        self.operations: dict[str, list[Operation]] = {}
        self.pages: list[Page] = []
        # The value behind each ETag.
        self.values: dict[str, str] = {}
        # What no outage excuses: wrong bytes, unknown errors.
        self.faults: list[str] = []
        # What the store could not do while something was broken, and why, in its words.
        self.excused: list[str] = []
        self.counts: dict[str, int] = {}
        self.numbers = 0
        self.active = [self.fresh_key() for _ in range(KEYS)]

    def now(self) -> float:
        return self.clock() - self.origin

    def fresh_key(self) -> str:
        key = f"{self.prefix}{len(self.operations):03}"
        self.operations[key] = []
        return key

    def count(self, *names: str):
        with self.lock:
            for name in names:
                self.counts[name] = self.counts.get(name, 0) + 1

    def fault(self, text: str):
        with self.lock:
            self.faults.append(f"{self.now():.4f} {text}")

    def new_value(self, key: str, client: str, size: int) -> tuple[str, bytes, str]:
        """A value that nobody wrote before, its bytes and its ETag."""
        with self.lock:
            self.numbers += 1
            value = f"{key}={client}.{self.numbers}.{size}"
        body = body_of(value)
        tag = hashlib.md5(body).hexdigest()
        with self.lock:
            self.values[tag] = value
        return value, body, tag

    def add(self, key: str, operation: Operation):
        """Keeps an operation, and leaves a key alone that has too many writes of unknown outcome to be judged soon."""
        with self.lock:
            found = self.operations[key]
            found.append(operation)
            unknown = sum(not other.is_certain for other in found)
            if not operation.is_certain and unknown >= UNKNOWN_WRITES and key in self.active:
                self.active[self.active.index(key)] = self.fresh_key()

    def add_page(self, page: Page):
        with self.lock:
            self.pages.append(page)

    # Judging

    def of_key(self, key: str) -> list[Operation]:
        return self.operations[key] + [page.read_of(key) for page in self.pages if page.covers(key)]

    def problems(self) -> list[str]:
        """What is wrong with what was seen; empty when all of it can have happened one after another, key by key."""
        found = list(self.faults)
        for page in self.pages:
            strangers = [key for key in page.values if key not in self.operations]
            found += [f"{page.name} has {key}, which nobody wrote" for key in strangers]
        for key in self.operations:
            problem: Violation | None = violation(self.of_key(key))
            if problem:
                found.append(f"{key} is not linearizable: {problem}")
        return found

    def save(self, path: pathlib.Path):
        """All of it as JSON, to be analysed."""
        def plain(operation: Operation) -> dict:
            fields = dataclasses.asdict(operation)
            ended = None if operation.ended == math.inf else operation.ended
            return {**fields, "forbids": sorted(operation.forbids), "ended": ended}

        with self.lock:
            content = {
                "faults": self.faults, "excused": self.excused, "counts": self.counts,
                "pages": list(map(dataclasses.asdict, self.pages)),
                "keys": {key: list(map(plain, self.of_key(key))) for key in self.operations},
            }
        path.write_text(json.dumps(content, indent=1) + "\n")


class Unavailable(Exception):
    """The store could not, now; whether a write happened is unknown unless `is_unsent`."""

    def __init__(self, text: str, is_unsent: bool):
        super().__init__(text)
        self.is_unsent = is_unsent


class RecordingClient:
    """A client of all nodes, at home on one of them, that does one thing after another and records it. `clients` has an
    S3 client for each node; `bucket` is where the keys are. One that `only_reads` is not held up by writes that are."""

    def __init__(self, name: str, home: str, clients: dict, bucket: str, history: History, random, only_reads=False,
                 sizes=SIZES):
        self.name, self.home, self.node = name, home, home
        self.clients, self.bucket, self.history, self.random = clients, bucket, history, random
        self.only_reads, self.sizes = only_reads, sizes
        # The ETag that this client saw last of each key; None: there was nothing.
        self.seen: dict[str, str | None] = {}
        # When it last began something that was acknowledged.
        self.last = -math.inf

    def run(self, is_over: threading.Event):
        while not is_over.is_set():
            if not self.step():
                is_over.wait(PACE)

    def step(self) -> bool:
        """One request on a key of those in use; says whether the store could do it."""
        if self.random.random() < 0.1:
            self.node = self.home
        reads = {self.get: 24, self.head: 8, self.list: 10}
        writes = {self.put: 20, self.delete: 6, self.compare_and_set: 28, self.compare_and_delete: 4}
        acts = reads if self.only_reads else {**reads, **writes}
        act = self.random.choices(list(acts), list(acts.values()))[0]
        is_done = self.does(act, self.random.choice(self.history.active))
        if not is_done:
            self.node = self.random.choice([name for name in self.clients if name != self.node])
        return is_done

    def does(self, act, key: str) -> bool:
        """Whether the store could do it."""
        began = self.history.now()
        try:
            act(key)
        except Unavailable:
            return False
        except Exception as error:  # noqa: BLE001: a thread that dies in silence would prove nothing.
            self.history.fault(f"{self.name} at {self.node}: {error!r}")
            return False
        self.last = began
        return True

    # One request

    def call(self, verb: str, key: str, **arguments) -> tuple[dict | None, int, float, float]:
        """The answer, or the status that says why there is none; and when it was asked for and came."""
        began = self.history.now()
        try:
            answer = getattr(self.clients[self.node], verb)(Bucket=self.bucket, **arguments)
            if verb == "get_object":
                answer["Bytes"] = answer["Body"].read()
            self.history.count(verb, "acknowledged")
            return answer, 200, began, self.history.now()
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            # HEAD has only the number.
            if (status == 404 and code in ("NoSuchKey", "404")) or status == 412:
                self.history.count(verb, "acknowledged")
                return None, status, began, self.history.now()
            if status != EXCUSE:
                self.history.fault(f"{self.name} at {self.node}: {verb} of {key}: {error}")
            self.fail(began, f"{verb} of {key}", f"{status}", False, error)
        except FlexibleChecksumError as error:
            self.history.fault(f"{self.name} at {self.node}: {verb} of {key}: {error}")
            self.fail(began, f"{verb} of {key}", type(error).__name__, False, error)
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            self.fail(began, f"{verb} of {key}", type(error).__name__, True, error)
        except BotoCoreError as error:
            self.fail(began, f"{verb} of {key}", type(error).__name__, False, error)

    def fail(self, began: float, what: str, kind: str, is_unsent: bool, error: Exception):
        self.history.count("failed", f"failed: {kind}")
        self.history.excused.append(f"{began:.4f} {self.history.now():.4f} {self.title(what)}: {error}")
        raise Unavailable(f"{kind} after {self.history.now() - began:.3f} s", is_unsent) from error

    def title(self, what: str) -> str:
        return f"{self.name} at {self.node}: {what}"

    # Reads

    def get(self, key: str):
        self.read("get_object", key)

    def head(self, key: str):
        self.read("head_object", key)

    def read(self, verb: str, key: str):
        answer, _, began, ended = self.call(verb, key, Key=key)
        seen = ABSENT
        if answer:
            seen = self.value_of(key, answer["ETag"], answer["ContentLength"])
            self.check(verb, key, seen, answer)
        self.seen[key] = answer and answer["ETag"].strip('"')
        what = f"{verb.removesuffix('_object')} → {seen}"
        self.history.add(key, Operation(self.title(what), began, ended, requires=seen))

    def value_of(self, key: str, tag: str, size: int) -> str:
        """The value behind an ETag; that it is one of this key, and has its size."""
        value = self.history.values.get(tag.strip('"'), f"ETag {tag}, which nobody wrote")
        if not value.startswith(f"{key}=") or not value.endswith(f".{size}"):
            self.history.fault(self.title(f"{key} has {size} bytes of {value}"))
        return value

    def check(self, verb: str, key: str, value: str, answer: dict):
        """Metadata and bytes are those of the value that the ETag means."""
        if answer["Metadata"] != {"value": value}:
            self.history.fault(self.title(f"{key} is {value} by its ETag and {answer['Metadata']} by its metadata"))
        if verb == "get_object" and answer["Bytes"] != body_of(value):
            self.history.fault(self.title(f"{key} has other bytes than {value}"))

    def list(self, _: str = ""):
        """All keys of the round, page by page: each page counts for the moment at which it was asked for."""
        after, token = "", {}
        while True:
            answer, _, began, ended = self.call(
                "list_objects_v2", self.history.prefix, Prefix=self.history.prefix, MaxKeys=PAGE, **token)
            items = answer.get("Contents", [])
            values = {item["Key"]: self.value_of(item["Key"], item["ETag"], item["Size"]) for item in items}
            last = items[-1]["Key"] if answer["IsTruncated"] else None
            self.history.add_page(Page(self.title("list"), began, ended, after, last, values))
            if last is None:
                return
            after, token = last, {"ContinuationToken": answer["NextContinuationToken"]}

    # Writes

    def put(self, key: str):
        self.write(key, None, {}, "put")

    def delete(self, key: str):
        self.write(key, None, {}, "delete", is_delete=True)

    def compare_and_set(self, key: str):
        """A write on the condition that nothing has changed since this client looked, which it may do once more."""
        if key not in self.seen or self.random.random() < 0.6:
            self.head(key)
        tag = self.seen[key]
        if tag:
            self.write(key, self.history.values.get(tag), {"IfMatch": f'"{tag}"'}, "put if match")
        else:
            self.write(key, ABSENT, {"IfNoneMatch": "*"}, "put if absent")

    def compare_and_delete(self, key: str):
        if not self.seen.get(key):
            self.head(key)
        tag = self.seen[key]
        if tag:
            self.write(key, self.history.values.get(tag), {"IfMatch": f'"{tag}"'}, "delete if match", is_delete=True)

    def write(self, key: str, condition: str | None, arguments: dict, what: str, is_delete=False):
        value, tag, verb = ABSENT, None, "delete_object"
        if not is_delete:
            value, body, tag = self.history.new_value(key, self.name, self.random.choice(self.sizes))
            verb, arguments = "put_object", {**arguments, "Body": body, "Metadata": {"value": value}}
        named = f"{what} {condition or ''} → {value}"
        began, title = self.history.now(), self.title(named)
        try:
            answer, status, began, ended = self.call(verb, key, Key=key, **arguments)
        except Unavailable as error:
            if not error.is_unsent:
                self.history.count("unknown writes")
                self.history.add(key, Operation(f"{title} ({error})", began, writes=value, requires=condition,
                                                is_certain=False))
            raise
        if answer is not None:
            if condition:
                self.history.count("conditions held")
            self.seen[key] = tag
            self.check_tag(key, value, answer)
            self.history.add(key, Operation(title, began, ended, writes=value, requires=condition))
        else:
            self.refused(key, condition, title, status, began, ended)

    def check_tag(self, key: str, value: str, answer: dict):
        if value != ABSENT and self.history.values.get(answer["ETag"].strip('"')) != value:
            self.history.fault(self.title(f"{key}: {value} was acknowledged with ETag {answer['ETag']}"))

    def refused(self, key: str, condition: str | None, title: str, status: int, began: float, ended: float):
        """A condition did not hold. 404 says that there was nothing, 412 that there was something else."""
        self.history.count("conditions refused")
        title = f"{title}: {status}"
        if condition is None or (condition == ABSENT and status == 404):
            self.history.fault(f"{title} {key}")
        elif status == 404:
            self.history.add(key, Operation(title, began, ended, requires=ABSENT))
        else:
            self.history.add(key, Operation(title, began, ended, forbids=frozenset({condition, ABSENT})))
