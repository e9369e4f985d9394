"""Clients on all nodes of a real cluster at once, under each fault of the lab and under pairs of them: what they saw of
each key can have happened one after another, conditions and lists included. `test_histories.py` tries the judge.

$CAIRN_TEST_PAIRS is how many pairs are tried, or `all`; $CAIRN_TEST_SEED decides which come first and whom they hit.
The history of a round that fails is kept, with what all processes said.
"""

import contextlib
import itertools
import os
import random
import shutil
import time

import pytest

from support import nemeses
from support.background import running
from support.cluster import Cluster, Lab, needs_network, report
from support.history import History, RecordingClient
from support.server import ACCESS_KEY, SECRET_KEY, binary

# Its folder is in the path from `support` on.
from lab_support import CannotTest

BUCKET = "histories"
SEED = os.environ.get("CAIRN_TEST_SEED", "1")
PAIRS = os.environ.get("CAIRN_TEST_PAIRS", "3")
# A client gives up well within a fault's time, so that histories go on.
CONNECT_SECONDS, READ_SECONDS = 1, 3
# A fault that others hear of at once, and one that they must find out about.
FAULT_SECONDS, SILENT_SECONDS = 4, 7
# Between the two of a pair.
APART_SECONDS = 0.7
# After this time without a fault every client is served again.
RECOVERY_SECONDS = 120
READ_ALL_SECONDS = 120
# What a round has at least before its fault, and as much again after it, or it would prove little.
LEAST = {"acknowledged": 60, "conditions held": 5, "conditions refused": 2, "list_objects_v2": 5}

FEW = 5


def some_pairs() -> list[tuple]:
    """As many as are asked for, in an order that the seed decides."""
    pairs = list(itertools.combinations(nemeses.MAIN, 2))
    random.Random(SEED).shuffle(pairs)
    return pairs if PAIRS == "all" else pairs[:int(PAIRS)]


def name_of(faults) -> str:
    faults = faults if isinstance(faults, tuple) else (faults,)
    return "+".join(fault.__name__.replace("_", "-") for fault in faults)


@pytest.fixture(scope="module")
def shared(fast_folder):
    """The cluster of all rounds, started once, whole at the end; every process must end well on SIGTERM."""
    is_networked = False if os.environ.get("CAIRN_TEST_LOOPBACK") else None
    lab = Lab(fast_folder / "lab", sites=3, nodes=3, disks=2, scheme="rs-6-6", binary=binary(),
              keys=(ACCESS_KEY, SECRET_KEY), is_networked=is_networked)
    cluster = Cluster(lab)
    try:
        lab.up()
        for sentence in lab.cannot:
            report(f"this machine cannot test {sentence}")
        cluster.client(cluster.names()[0]).create_bucket(Bucket=BUCKET)
        yield cluster
        cluster.restore()
        lab.stop_all()
    finally:
        lab.down()


@pytest.fixture(scope="module")
def clients(shared):
    """An S3 client for each node, which all threads share. It sends a request once: what happens twice is the
    store's doing."""
    return {name: shared.client(name, retries=1, timeout=READ_SECONDS, connect=CONNECT_SECONDS)
            for name in shared.names()}


@pytest.fixture(scope="module")
def totals(shared):
    """What all rounds counted, shown at the end. Many faults of which no write's fate was ever unknown prove little."""
    counts: dict[str, int] = {}
    yield counts
    if counts:
        report(f"{counts['rounds']} rounds: {shown(counts)}")
        kinds = {name.removeprefix("failed: "): count for name, count in counts.items() if name.startswith("failed: ")}
        report(f"failures met: {kinds}")
        assert counts["felt"] < FEW or counts.get("unknown writes", 0) >= FEW, counts


def shown(counts: dict[str, int]) -> str:
    names = {"acknowledged": "answered", "under a fault": "of them under a fault", "list_objects_v2": "pages of lists",
             "conditions held": "conditions held", "conditions refused": "refused", "failed": "failed",
             "unknown writes": "writes of unknown outcome"}
    return ", ".join(f"{counts.get(name, 0)} {text}" for name, text in names.items())


class Round:
    """Some seconds of all clients at once on fresh keys, with faults in their midst."""

    def __init__(self, cluster: Cluster, clients: dict, faults: tuple):
        self.cluster, self.clients, self.faults = cluster, clients, faults
        self.random = random.Random(f"{SEED}/{name_of(faults)}")
        self.history = History(f"{name_of(faults)}/")
        self.users = [self.user(f"client-{number}", name) for number, name in enumerate(clients, 1)]
        # Of these one is at home in each site.
        nodes = [cluster.names(site)[1] for site in cluster.lab.sites()]
        self.users += [self.user(f"reader-{number}", name, only_reads=True) for number, name in enumerate(nodes, 1)]

    def user(self, name: str, home: str, only_reads=False) -> RecordingClient:
        chance = random.Random(f"{SEED}/{self.history.prefix}{name}")
        return RecordingClient(name, home, self.clients, BUCKET, self.history, chance, only_reads)

    @contextlib.contextmanager
    def load(self):
        with running([user.run for user in self.users], patience=RECOVERY_SECONDS):
            yield

    def wait_for_all(self, seconds: float):
        """Until each client was served with something that it began from now on."""
        moment, deadline = self.history.now(), time.monotonic() + seconds
        while waiting := [user.name for user in self.users if user.last <= moment]:
            assert time.monotonic() < deadline, f"no service for {waiting} in {seconds} s: {self.history.counts}"
            time.sleep(0.02)

    def wait_for(self, names: dict[str, int], seconds: float):
        """Until so much more has happened."""
        counts, deadline = self.history.counts, time.monotonic() + seconds
        wanted = {name: counts.get(name, 0) + more for name, more in names.items()}
        while any(counts.get(name, 0) < least for name, least in wanted.items()):
            assert time.monotonic() < deadline, f"not {wanted} in {seconds} s: {counts}"
            time.sleep(0.02)

    def run(self):
        with self.load():
            self.wait_for(LEAST, RECOVERY_SECONDS)
            self.do_harm()
            self.wait_for_all(RECOVERY_SECONDS)
            self.wait_for(LEAST, RECOVERY_SECONDS)
        self.read_all()

    def do_harm(self):
        """The faults one after the other, both at once for a while, and their ends in either order."""
        ends = []
        counts = self.history.counts
        before = counts["acknowledged"]
        try:
            for fault in self.faults:
                site = self.random.choice(self.cluster.lab.sites())
                ends.append(fault(self.cluster, site))
                time.sleep(APART_SECONDS)
            is_silent = any(fault in nemeses.SILENT for fault in self.faults)
            time.sleep((SILENT_SECONDS if is_silent else FAULT_SECONDS) - APART_SECONDS)
            counts["under a fault"] = counts["acknowledged"] - before
        finally:
            self.random.shuffle(ends)
            for end in filter(None, ends):
                end()
                time.sleep(APART_SECONDS)
        nemeses.settle(self.cluster)

    def read_all(self):
        """Every key through two nodes, and the list through two, after all has come to rest."""
        nodes = self.random.sample(list(self.clients), 2)
        deadline = time.monotonic() + READ_ALL_SECONDS
        for node in nodes:
            reader = RecordingClient("reader", node, {node: self.clients[node]}, BUCKET, self.history, self.random)
            tasks = [*((reader.get, key) for key in list(self.history.operations)), (reader.list, "")]
            for task, key in tasks:
                while not reader.does(task, key):
                    assert time.monotonic() < deadline, f"{key} cannot be read through {node}: {self.history.counts}"
                    time.sleep(0.1)

    def judge(self):
        problems = self.history.problems()
        assert not problems, "\n".join(problems)
        counts = self.history.counts
        is_felt = any(fault in nemeses.FELT for fault in self.faults)
        assert not is_felt or counts.get("failed", 0) > 0, f"nobody noticed {name_of(self.faults)}: {counts}"


def keep(history: History, cluster: Cluster, folder):
    """The history of a failed round and what the processes said, for analysis."""
    history.save(folder / "history.json")
    shutil.copytree(cluster.lab.logs, folder / "logs", dirs_exist_ok=True)
    report(f"the history of {history.prefix[:-1]} is kept: {folder}")


def try_faults(cluster: Cluster, clients: dict, totals: dict, folder, *faults):
    if any(fault in nemeses.WIRED for fault in faults):
        needs_network(cluster)
    # What a failed round left broken.
    cluster.mend()
    if any(fault in (nemeses.disk_lost, nemeses.site_lost) for fault in faults):
        # What earlier rounds left to be repaired may need the shards that go now.
        cluster.wait_until_whole()
    this = Round(cluster, clients, faults)
    try:
        this.run()
        this.judge()
    except CannotTest as reason:
        report(f"this machine cannot test {name_of(faults)}: {reason}")
        pytest.skip(str(reason))
    except BaseException:
        keep(this.history, cluster, folder)
        raise
    counts = this.history.counts
    report(f"{name_of(faults)}: {shown(counts)}")
    for name, count in [*counts.items(), ("rounds", 1), ("felt", any(fault in nemeses.FELT for fault in faults))]:
        totals[name] = totals.get(name, 0) + count


@pytest.mark.parametrize("fault", nemeses.ALL, ids=name_of)
def test_one_fault(shared, clients, totals, tmp_path, fault):
    try_faults(shared, clients, totals, tmp_path, fault)


@pytest.mark.parametrize("pair", some_pairs(), ids=name_of)
def test_two_faults(shared, clients, totals, tmp_path, pair):
    try_faults(shared, clients, totals, tmp_path, *pair)
