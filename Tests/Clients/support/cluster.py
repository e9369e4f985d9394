"""A cluster of several sites for tests: the lab of `Cluster/lab`, clients for each node, and what was acknowledged."""

import contextlib
import functools
import itertools
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support import points
from support.background import running
from support.data import KIB, MIB, noise, sha256
from support.server import ACCESS_KEY, SECRET_KEY, START_SECONDS, Endpoint, binary, lacks
from support.writers import BUCKET, Writer, verify_all

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Cluster"))

from lab_support import Host, Lab  # noqa: E402

STUDIES = "studies"
SIZES = [1 * KIB, 10 * KIB, 100 * KIB, 300 * KIB, 1 * MIB, 5 * MIB, 9 * MIB + 1, 20 * MIB]
# Sizes of what is written while something is broken.
SMALL = [1 * KIB, 64 * KIB, 700 * KIB, 2 * MIB]
WRITERS = 3
# Within this time after a loss writes go on, whatever was lost.
WRITE_SECONDS = 30
# All is made whole within this time: how long it took is in the report.
WHOLE_SECONDS = 600
# What a process has to say it says within this time.
WORDS_SECONDS = 120
# Attempts of a client that is set up as the manual says: it bridges the restart of a coordinator.
RETRIES = 10
ERRORS = (BotoCoreError, ClientError)


def report(text: str):
    """A measured time, or what this machine could not test: shown at the end of the run."""
    points.REPORT.append(f"cluster: {text}")


@contextlib.contextmanager
def three_sites(folder: pathlib.Path, **options):
    """A cluster of three sites with three nodes each that has some objects; every process must end well on SIGTERM."""
    said = []
    lab = Lab(folder / "lab", sites=3, nodes=3, disks=2, scheme="rs-6-6", binary=binary(),
              keys=(ACCESS_KEY, SECRET_KEY), say=said.append,
              is_networked=False if os.environ.get("CAIRN_TEST_LOOPBACK") else None, **options)
    cluster = Cluster(lab)
    try:
        began = time.monotonic()
        lab.up()
        cluster.typed = [line for line in said if not line.startswith("!!!")]
        report(f"up in {time.monotonic() - began:.1f} s with {len(cluster.typed)} commands")
        for sentence in lab.cannot:
            report(f"this machine cannot test {sentence}")
        if lab.cannot:
            report(f"things that this machine cannot test: {len(lab.cannot)}")
        cluster.fill()
        yield cluster
        lab.stop_all()
    finally:
        lab.down()


class NodeEndpoint(Endpoint):
    """The S3 endpoint of one node."""

    def __init__(self, host: Host, keys: tuple[str, str]):
        super().__init__(host.s3_port, *keys)
        self.host = host.address


class Cluster:
    """The lab, and the digests of all objects that were acknowledged."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.digests: dict[str, str] = {}
        self.writers = [ClusterWriter(number) for number in range(WRITERS)]
        self.numbers = itertools.count()
        # What a person would have typed to make it.
        self.typed: list[str] = []
        # Bytes that were put by none of the writers.
        self.put_apart = 0

    def names(self, *sites: str) -> list[str]:
        """The nodes of these sites, or of all."""
        return [node.name for node in self.lab.nodes() if not sites or node.site in sites]

    def serving(self) -> list[str]:
        return [name for name in self.names() if self.lab.is_alive(name)]

    def client(self, name: str, retries: int = RETRIES, timeout: float = 30, **config):
        endpoint = NodeEndpoint(self.lab.host(name), self.lab.credentials())
        return endpoint.client(retries=retries, timeout=timeout, **config)

    # Objects

    def fill(self):
        """Objects of all sizes, each put through another node."""
        names = self.names()
        self.client(names[0]).create_bucket(Bucket=BUCKET)
        self.client(names[0]).create_bucket(Bucket=STUDIES)
        for number, size in enumerate(SIZES):
            self.put(self.client(names[number % len(names)]), size)

    def put(self, client, size: int):
        key = f"study/{next(self.numbers):03}"
        data = noise(size, key)
        client.put_object(Bucket=STUDIES, Key=key, Body=data)
        self.digests[key] = sha256(data)
        self.put_apart += size

    def written(self) -> int:
        """Bytes of all objects and parts that were put so far, also of those that are gone again."""
        return self.put_apart + sum(writer.written for writer in self.writers)

    def writes_go_on(self, names: list[str], seconds: float = WRITE_SECONDS) -> float:
        """Writes one object through each of these nodes, all at once, again and again until it is acknowledged; gives
        how long the last one took."""
        began = time.monotonic()
        failures = {}

        def write(name: str, key: str, size: int):
            data = noise(size, key)
            client = self.client(name, retries=1, timeout=10, connections=1)
            while True:
                try:
                    client.put_object(Bucket=STUDIES, Key=key, Body=data)
                    self.digests[key] = sha256(data)
                    return
                except ERRORS as error:
                    if time.monotonic() - began > seconds:
                        failures[name] = error
                        return
                    time.sleep(0.2)

        threads = []
        for name in names:
            number = next(self.numbers)
            arguments = (name, f"study/{number:03}", SMALL[number % len(SMALL)])
            self.put_apart += arguments[2]
            threads.append(threading.Thread(target=write, args=arguments, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 30)
        elapsed = time.monotonic() - began
        assert not any(thread.is_alive() for thread in threads), "a client hangs"
        assert not failures, f"no write within {seconds} s through {failures}\n{self.tails(*failures)}"
        assert elapsed <= seconds, f"writes went on only after {elapsed:.1f} s"
        return elapsed

    def read_all(self, names: list[str] | None = None):
        """Every acknowledged object, through these nodes in turn, or all that serve; then the list through one."""
        names = names or self.serving()
        clients = [self.client(name, retries=5) for name in names]
        for number, (key, digest) in enumerate(sorted(self.digests.items())):
            body = clients[number % len(clients)].get_object(Bucket=STUDIES, Key=key)["Body"].read()
            assert sha256(body) == digest, f"{key} through {names[number % len(names)]}"
        listed = keys_of(clients[0], STUDIES)
        assert set(self.digests) <= set(listed), sorted(set(self.digests) - set(listed))

    def verify(self, names: list[str] | None = None):
        """All that was acknowledged, ever: the studies, and what the writers wrote in the background."""
        names = names or self.serving()
        self.read_all(names)
        verify_all(self.client(names[-1], retries=5), self.writers)

    @contextlib.contextmanager
    def writing(self, names: list[str], retries: int = 1):
        """The writers write through these nodes while the body runs."""
        load = Load(self, names, retries)
        with running([functools.partial(writer.run, load) for writer in self.writers], patience=300):
            yield load

    # The operator's view

    def status(self) -> dict:
        return json.loads(self.lab.admin("status", "--json").stdout)

    def report_of(self, name: str, number: int) -> dict:
        """What the status says of one disk."""
        place = self.lab.place(name, number).split("/")
        found = [disk for disk in self.status()["disks"] if [disk["site"], disk["node"], disk["slot"]] == place]
        assert len(found) == 1, f"{place}: {found}"
        return found[0]

    def wait_until_whole(self, seconds: float = WHOLE_SECONDS, given_up: int = 0) -> float:
        """Waits until the status counts every shard as present and verified, on every disk; gives how long it took."""
        began = time.monotonic()
        disks = len(self.names()) * self.lab.disks - given_up
        while True:
            status = self.status()
            lacking = lacks(status)
            if len(status["disks"]) != disks:
                lacking["disks"] = disks - len(status["disks"])
            elapsed = time.monotonic() - began
            if not lacking:
                return elapsed
            assert elapsed < seconds, f"after {seconds} s still {lacking}: {status}\n{self.tails('coordinator')}"
            time.sleep(0.5)

    def wait_until_whole_elsewhere(self, site: str, seconds: float = WHOLE_SECONDS):
        """Waits until disks of other sites than one that is lost miss nothing: a write leaves a slow disk behind."""
        self.wait_until_nothing_is_missing([other for other in self.lab.sites() if other != site], seconds)

    def wait_until_nothing_is_missing(self, sites: list[str], seconds: float = WHOLE_SECONDS):
        """Waits until the disks of these sites have every shard that they are to have."""
        deadline = time.monotonic() + seconds
        while True:
            disks = [disk for disk in self.status()["disks"] if disk["site"] in sites]
            missing = [disk for disk in disks if disk["missingShards"] or disk["state"] not in ("healthy", "full")]
            if not missing:
                return
            assert time.monotonic() < deadline, f"after {seconds} s still missing: {missing}"
            time.sleep(0.5)

    def bytes_into(self, site: str) -> int:
        """Bytes that came over the site's line so far; 0 where the lab has no network of its own."""
        return self.lab.network.bytes_into(site) if self.lab.network else 0

    def lacks_something(self, seconds: float = WORDS_SECONDS):
        """Waits until the status says that something is lost: without that, being whole again proves nothing."""
        deadline = time.monotonic() + seconds
        while not lacks(self.status()):
            assert time.monotonic() < deadline, "something is lost and the status misses nothing"
            time.sleep(0.2)

    def replace(self, name: str, number: int) -> str:
        """Puts an empty disk in the place of one that is gone, as an operator does; gives what the command says. While
        so much is away that something cannot be read, no disk is given up: what returns is waited for, and so is a node
        that has just been started, of which the coordinator hears with its next call."""
        self.lab.disk(name, number).mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + WHOLE_SECONDS
        while True:
            done = self.lab.admin("disk", "replace", self.lab.place(name, number), check=False)
            if done.returncode == 0:
                return done.stdout
            is_early = any(words in done.stderr for words in ("cannot be read now need", "its node does not answer"))
            assert is_early and time.monotonic() < deadline, done
            time.sleep(0.2)

    def restore(self):
        """Mends what an earlier test left broken when it failed; nothing to do after one that passed."""
        self.mend()
        self.wait_until_whole()

    def mend(self):
        """Everything runs and can reach everything, and an empty disk is in the place of each that is gone."""
        lab = self.lab
        if lab.network:
            lab.heal()
        for name in ["coordinator", *self.names()]:
            if lab.is_alive(name) and lab.process(name).record["wanted"] == "paused":
                lab.resume(name)
        if not lab.is_alive("coordinator"):
            lab.start("coordinator")
        for site in list(lab.lost):
            lab.return_site(site)
        lab.start_all([name for name in self.names() if not lab.is_alive(name)])
        self.wait_until_serving()
        for disk in self.status()["disks"]:
            path = lab.disk(disk["node"], int(disk["slot"].rpartition("-")[2]))
            if not path.is_dir() or not any(path.iterdir()):
                self.replace(disk["node"], int(disk["slot"].rpartition("-")[2]))

    def wait_until_serving(self, seconds: float = START_SECONDS):
        """A coordinator says that it is ready when it can be called; its store runs once enough nodes have answered."""
        deadline = time.monotonic() + seconds
        while (result := self.lab.admin("status", check=False)).returncode != 0:
            assert time.monotonic() < deadline, f"the store does not run: {result.stderr}\n{self.tails('coordinator')}"
            time.sleep(0.05)

    def wait_for_words(self, name: str, *words: str, seconds: float = WORDS_SECONDS) -> str:
        """Until a line of a process's log has all of these; gives it."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.lab.process(name).said().splitlines()
            found = [line for line in lines if all(word in line for word in words)]
            if found:
                return found[-1]
            assert time.monotonic() < deadline, f"{name} did not say {words}:\n{self.tails(name)}"
            time.sleep(0.1)

    def tails(self, *names: str) -> str:
        return "\n".join(self.lab.process(name).tail() for name in dict.fromkeys([*names, "coordinator"]))


def keys_of(client, bucket: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


class Load:
    """What the writers of a test have in common: where they write, how stubbornly, and what they met."""

    def __init__(self, cluster: Cluster, names: list[str], retries: int):
        self.cluster, self.names, self.retries = cluster, list(names), retries
        self.errors: list[str] = []
        # When each writer was acknowledged last.
        self.last: dict[int, float] = {}
        self.count = 0
        self.lock = threading.Lock()

    def acknowledge(self, number: int, began: float):
        """A change counts for the moment it began: one that was under way before a loss says nothing of after it."""
        with self.lock:
            self.last[number] = began
            self.count += 1

    def wait_for(self, count: int, seconds: float = WHOLE_SECONDS):
        """Until so many changes were acknowledged."""
        deadline = time.monotonic() + seconds
        while self.count < count:
            assert time.monotonic() < deadline, f"{self.count} changes in {seconds} s; errors: {self.errors[-3:]}"
            time.sleep(0.05)

    def wait_for_all_since(self, moment: float, seconds: float) -> float:
        """Until a change of every writer that began after `moment` was acknowledged; gives how long after it."""
        while True:
            elapsed = time.monotonic() - moment
            if all(self.last.get(number, 0) > moment for number in range(WRITERS)):
                return elapsed
            assert elapsed < seconds, f"no write for {seconds} s: {self.last}; errors: {self.errors[-3:]}"
            time.sleep(0.05)


class ClusterWriter(Writer):
    """A writer that goes from node to node, and keeps the errors that its client did not retry away."""

    def run(self, load: Load, is_over):
        clients = {name: load.cluster.client(name, load.retries, timeout=15, connections=1) for name in load.names}
        while not is_over.is_set():
            name = self.random.choice(load.names)
            key = self.random.choice(sorted(self.states))
            self.sequence += 1
            began = time.monotonic()
            try:
                self.change(clients[name], key)
            except ERRORS as error:
                # A retried abort finds its upload gone when the first attempt did its work unheard.
                is_done = isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchUpload"
                if not is_done:
                    load.errors.append(f"{name}: {error}")
                    time.sleep(0.1)
            else:
                self.acknowledged += 1
                load.acknowledge(self.number, began)


# Strangers: who has no certificate of the cluster

REQUEST = b"GET / HTTP/1.1\r\nHost: cairn\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
# A stranger says nothing, speaks some protocol, or talks nonsense.
WORDS = [b"", REQUEST, PREFACE, noise(64, "stranger")]
TLS_ALERT = b"\x15\x03"
PATIENCE = 2.0


def listening(pid: int) -> list[tuple[str, int]]:
    """Every TCP address on which a process takes connections, as the kernel has it."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(link)
            if target.startswith("socket:["):
                inodes.add(target[len("socket:["):-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.append((address, int(port, 16)))
    return found


def stranger_certificate(folder: pathlib.Path) -> tuple[str, str]:
    """A certificate that no authority of the cluster signed, and its key."""
    certificate, key = str(folder / "stranger.pem"), str(folder / "stranger.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "1", "-subj", "/CN=node-1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def answers(address: str, port: int, certificate: tuple[str, str]) -> list[str]:
    """What a port tells a stranger: plainly, over TLS without a certificate, and with one of his own. Alerts of TLS are
    refusals, not answers."""
    told = []
    for word in WORDS:
        heard = converse(address, port, word, None)
        if heard and not heard.startswith(TLS_ALERT):
            told.append(f"{port} plain {word[:12]!r}: {heard[:40]!r}")
        for own in (None, certificate):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2", "http/1.1"])
            if own:
                context.load_cert_chain(*own)
            heard = converse(address, port, word, context)
            if heard:
                told.append(f"{port} TLS {'own certificate' if own else ''} {word[:12]!r}: {heard[:40]!r}")
    return told


def converse(address: str, port: int, word: bytes, context: ssl.SSLContext | None) -> bytes:
    """Says a word and listens for a moment; gives the bytes that came, of what TLS carries if it is TLS."""
    heard = b""
    try:
        with socket.create_connection((address, port), timeout=PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname="cairn") if context else plain as connection:
                connection.settimeout(PATIENCE)
                if word:
                    connection.sendall(word)
                while len(heard) < 4096:
                    more = connection.recv(4096)
                    if not more:
                        break
                    heard += more
    except OSError:
        pass  # Refused, cut off, silent: what was heard before counts.
    return heard


def needs_network(cluster: Cluster):
    """Skips, aloud and counted, where the lab has no network of its own."""
    if cluster.lab.network is None:
        pytest.skip(f"this machine cannot test {cluster.lab.cannot[0]}")
