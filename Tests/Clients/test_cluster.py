"""Nine nodes in three sites and a coordinator, each a process of its own in a network of its own (see `Cluster/lab`):
killed, cut off, destroyed and put back while clients go on.

All tests share one cluster and all that was ever acknowledged on it; each can be run alone (`-k replaced`,
`-k strangers`, `-k partition`, `-k take_over`), leaves the cluster whole, and first mends what a failed one broke.
"""

import concurrent.futures
import itertools
import json
import re
import shutil
import subprocess
import time

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from support.cluster import (
    ERRORS,
    RETRIES,
    STUDIES,
    WHOLE_SECONDS,
    WORDS_SECONDS,
    WRITE_SECONDS,
    answers,
    keys_of,
    listening,
    needs_network,
    report,
    stranger_certificate,
    three_sites,
)
from support.data import KIB, MIB, noise, sha256
from support.deployment import ROOT
from support.server import START_SECONDS, destroy

# A command that is to be refused, and a node that is to be known or forgotten, take less than this.
COMMAND_SECONDS = 120
# What three writers have not been acknowledged yet, at most.
IN_FLIGHT = 3 * 5 * MIB
# Far below what lies on a disk, and above what a few writes may leave out at a time.
FEW_SHARDS = 20


@pytest.fixture(scope="module")
def shared(fast_folder):
    """The cluster of all tests here, started once."""
    with three_sites(fast_folder) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared):
    """The shared cluster, whole. A process that ends unasked fails the test, whatever clients saw."""
    shared.restore()
    yield shared
    died = shared.lab.died_unasked()
    assert not died, shared.tails(*died)


def shapes(lines: list[str]) -> list[tuple]:
    """Each command once, without what stands for a place or a name: its words, and its options."""
    found = []
    for line in lines:
        words = re.sub(r"^TOKEN=\$\(|\)$|&$", "", line.partition(" #")[0].strip()).split()
        options = sorted(word for word in words if word.startswith("--"))
        found.append((*itertools.takewhile(lambda word: not word.startswith("--"), words), *options))
    return list(dict.fromkeys(found))


def test_made_by_the_commands_of_readme(cluster):
    section = (ROOT / "README.md").read_text().partition("\n## A cluster\n")[2]
    block = section.split("```")[1].replace("\\\n", " ")
    told = [line for line in block.splitlines() if line]
    assert len(told) == 6 and all(line.startswith("cairn ") for line in told), told
    assert shapes(cluster.typed) == shapes(told)


def test_serves_on_every_node(cluster, folder):
    names = cluster.names()
    clients = {name: cluster.client(name, retries=1) for name in names}
    data = noise(3 * MIB + 7, "everywhere")
    first = clients[names[0]]
    first.create_bucket(Bucket="everywhere")
    first.put_object(Bucket="everywhere", Key="whole", Body=data)
    (folder / "large").write_bytes(noise(20 * MIB, "large"))
    parts = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=2)
    clients[names[4]].upload_file(str(folder / "large"), "everywhere", "large", Config=parts)
    for name, client in clients.items():
        assert client.get_object(Bucket="everywhere", Key="whole")["Body"].read() == data, name
        for low, high in ((0, 0), (MIB - 1, MIB), (2 * MIB, len(data) - 1)):
            answer = client.get_object(Bucket="everywhere", Key="whole", Range=f"bytes={low}-{high}")
            assert answer["Body"].read() == data[low:high + 1], (name, low, high)
        assert client.head_object(Bucket="everywhere", Key="large")["ContentLength"] == 20 * MIB, name
        assert keys_of(client, "everywhere") == ["large", "whole"], name
    large = clients[names[-1]].get_object(Bucket="everywhere", Key="large")["Body"].read()
    assert sha256(large) == sha256(noise(20 * MIB, "large"))

    # What one node acknowledged every other knows at once.
    for number, name in enumerate(names):
        after = clients[names[(number + 1) % len(names)]]
        clients[name].put_object(Bucket="everywhere", Key="passed on", Body=name.encode())
        assert after.get_object(Bucket="everywhere", Key="passed on")["Body"].read() == name.encode()
    for key in ("whole", "large", "passed on"):
        clients[names[7]].delete_object(Bucket="everywhere", Key=key)
    for client in clients.values():
        assert keys_of(client, "everywhere") == []
        with pytest.raises(ClientError, match="NoSuchKey"):
            client.get_object(Bucket="everywhere", Key="whole")
    first.delete_bucket(Bucket="everywhere")


def test_reads_cross_the_wan_only_for_what_the_site_lacks(cluster):
    needs_network(cluster)
    data = noise(24 * MIB, "four stripes")
    cluster.client(cluster.names("site-2")[0]).put_object(Bucket=STUDIES, Key="wan", Body=data)
    cluster.digests["wan"] = sha256(data)
    for name in cluster.names("site-1"):
        client = cluster.client(name, retries=1)
        shares, deadline = [], time.monotonic() + WORDS_SECONDS
        while not shares or (shares[-1] >= 0.36 and time.monotonic() < deadline):
            before = cluster.lab.network.bytes_into("site-1")
            assert client.get_object(Bucket=STUDIES, Key="wan")["Body"].read() == data
            shares.append((cluster.lab.network.bytes_into("site-1") - before) / len(data))
        # Of each stripe any six of twelve cells will do, and the site has four. A disk that is slow for a moment is
        # made up for from other sites: hence more than one try.
        assert 0.3 < shares[-1] < 0.36, f"of an object came into the site of {name}: {shares}"
        report(f"{shares[-1]:.2f} of an object crosses the WAN when {name} is asked for it")


def test_a_class_side_by_side_on_all_nodes(cluster):
    """Written with it at one node, rewritten into it in the background, read at every other."""
    names = cluster.names()
    first = cluster.client(names[0], retries=1)
    first.create_bucket(Bucket="classes")
    bodies = {f"study/{number}": noise(100_000 + number * 400_000, f"class {number}") for number in range(8)}
    for key, body in bodies.items():
        first.put_object(Bucket="classes", Key=key, Body=body, Metadata={"study": key})
    tags = {key: first.head_object(Bucket="classes", Key=key)["ETag"] for key in bodies}
    cluster.lab.admin("class", "add", "NEAR", "--scheme", "rs-4-2")
    cluster.lab.admin("class", "apply", "--bucket", "classes", "--to", "NEAR")
    # A node hears of a class with its next beat, within half a second.
    time.sleep(1)
    bodies["direct"] = noise(2 * MIB, "direct")
    cluster.client(names[4], retries=1).put_object(
        Bucket="classes", Key="direct", Body=bodies["direct"], StorageClass="NEAR"
    )
    began = time.monotonic()
    while "No objects are being rewritten" not in (said := cluster.lab.admin("class", "rewrites").stdout):
        assert time.monotonic() - began < WHOLE_SECONDS, said
        time.sleep(0.2)
    for name in names:
        client = cluster.client(name, retries=1)
        for key, body in bodies.items():
            answer = client.get_object(Bucket="classes", Key=key)
            assert (answer["Body"].read(), answer["StorageClass"]) == (body, "NEAR"), (name, key)
            if key in tags:
                assert (answer["ETag"], answer["Metadata"]) == (tags[key], {"study": key}), (name, key)
    # rs-4-2 over three sites lies with two shards in each: one may go, when no write left a slow disk behind.
    cluster.wait_until_whole()
    cluster.lab.lose_site("site-2")
    for key, body in bodies.items():
        assert first.get_object(Bucket="classes", Key=key)["Body"].read() == body, key
    cluster.lab.return_site("site-2")
    for key in bodies:
        first.delete_object(Bucket="classes", Key=key)
    first.delete_bucket(Bucket="classes")
    cluster.lab.admin("class", "remove", "NEAR")


def test_a_node_killed_and_back(cluster):
    lost = "node-5"
    others = [name for name in cluster.names() if name != lost]
    with cluster.writing(others) as load:
        load.wait_for(10)
        cluster.lab.kill(lost)
        killed = time.monotonic()
        elapsed = load.wait_for_all_since(killed, WRITE_SECONDS)
        report(f"a node killed: every writer went on within {elapsed:.1f} s")
        cluster.writes_go_on(others)
        cluster.read_all(others)
        cluster.lacks_something()
        cluster.lab.start(lost)
        cluster.writes_go_on([lost])
    report(f"a node back: whole after {cluster.wait_until_whole():.1f} s")
    cluster.verify([lost, *others])


def test_a_site_lost_and_two_disks_elsewhere(cluster):
    lost, disks = "site-3", [("node-1", 1), ("node-5", 2)]
    others = cluster.names("site-1", "site-2")
    # So much more lies in the site that copying all of it anew would be noticed.
    large = noise(64 * MIB, "large")
    cluster.client(others[0]).put_object(Bucket=STUDIES, Key="large", Body=large)
    cluster.digests["large"] = sha256(large)
    with cluster.writing(others, retries=RETRIES) as load:
        load.wait_for(10)
        cluster.lab.lose_site(lost)
        written, began = cluster.written(), time.monotonic()
        elapsed = load.wait_for_all_since(began, WRITE_SECONDS)
        report(f"a site lost: every writer went on within {elapsed:.1f} s")
    assert not load.errors, load.errors
    cluster.wait_until_whole_elsewhere(lost)
    for name, number in disks:
        destroy(cluster.lab.disk(name, number))
    # Four shards of each blob went with the site, up to two with the disks: just k are left.
    cluster.verify(others)
    elapsed = cluster.writes_go_on(others)
    report(f"a site and two disks lost: all nodes left wrote within {elapsed:.1f} s")
    cluster.lacks_something()
    cluster.read_all(others)

    # Four shards of what was written meanwhile, each a sixth as long as the object; and of what was just being written.
    missed = IN_FLIGHT + (cluster.written() - written) * 4 / 6
    before = cluster.bytes_into(lost)
    cluster.lab.return_site(lost)
    cluster.wait_until_nothing_is_missing([lost])
    copied = cluster.bytes_into(lost) - before
    held = sum(disk["liveBytes"] for disk in cluster.status()["disks"] if disk["site"] == lost)
    report(f"a site back that missed at most {missed / MIB:.1f} of {held / MIB:.1f} MiB: {copied / MIB:.1f} MiB copied")
    assert copied <= 1.5 * missed and copied < held / 2
    for name, number in disks:
        cluster.replace(name, number)
    report(f"a site back and two disks replaced: whole after {cluster.wait_until_whole():.1f} s")
    cluster.verify()
    cluster.writes_go_on(cluster.names(lost))


def test_the_coordinator_killed_under_load(cluster):
    with cluster.writing(cluster.names(), retries=10) as load:
        # Back at once, and back after clients noticed.
        for pause in (0, 3):
            load.wait_for(load.count + 20)
            cluster.lab.kill("coordinator")
            killed = time.monotonic()
            time.sleep(pause)
            cluster.lab.start("coordinator")
            elapsed = load.wait_for_all_since(killed, WRITE_SECONDS + pause)
            report(f"the coordinator killed, started {pause} s later: every writer went on within {elapsed:.1f} s")
        cluster.writes_go_on(cluster.names())
    assert not load.errors, load.errors
    cluster.verify()
    cluster.wait_until_whole()


def test_a_disk_replaced_by_an_empty_one(cluster):
    name, number = "node-1", 2
    before = cluster.report_of(name, number)
    assert before["liveBytes"] > 0, "nothing lies on the disk: losing it proves nothing"
    destroy(cluster.lab.disk(name, number))
    cluster.lacks_something()
    cluster.writes_go_on(cluster.names())
    said = cluster.replace(name, number)
    assert "To rebuild" in said, said
    report(f"a disk replaced: whole after {cluster.wait_until_whole():.1f} s")

    after = cluster.report_of(name, number)
    assert after["id"] != before["id"]
    verification = cluster.status()["verification"]
    counted = [verification[f"shards{count}"] for count in ("Expected", "Present", "Verified")]
    assert counted[0] > 0 and len(set(counted)) == 1, verification
    # Counted from outside, too: the bytes are there.
    stored = sum(path.stat().st_blocks * 512 for path in cluster.lab.disk(name, number).rglob("*") if path.is_file())
    assert stored >= after["liveBytes"] > 0, (stored, after)

    # With a site and a node of another gone, blobs that used both disks of that node need the new disk.
    cluster.lab.lose_site("site-3")
    cluster.lab.kill("node-4")
    cluster.verify()
    cluster.lab.start("node-4")
    cluster.lab.return_site("site-3")
    cluster.wait_until_whole()


def test_strangers_get_nothing(cluster, folder, fast_folder):
    lab = cluster.lab
    certificate = stranger_certificate(folder)
    hosts = [lab.coordinator, *lab.nodes()]
    doors = []
    for host in hosts:
        ports = {port for _, port in listening(lab.process(host.name).pid)}
        assert host.port in ports, f"{host.name} listens on {ports}, not on {host.listen}"
        # The S3 port speaks to everyone, and asks for signatures.
        doors += [(host.address, port) for port in ports - ({host.s3_port} if host.role == "node" else set())]
    with concurrent.futures.ThreadPoolExecutor(len(doors)) as pool:
        told = [line for lines in pool.map(lambda door: answers(*door, certificate), doors) for line in lines]
    assert not told, told
    report(f"{len(doors)} ports of {len(hosts)} processes told a stranger nothing")
    # Refused in words, not in those of a library.
    for host in hosts:
        cluster.wait_for_words(host.name, "connection closed", "its certificate is no cluster member's")
        said = [line for line in lab.process(host.name).log.read_text().splitlines() if "connection closed" in line]
        refused = [line for line in said if "its certificate is no cluster member's" in line]
        assert refused and all("address=" in line for line in refused), f"{host.name}: {said[-5:]}"
        assert not [line for line in said if "SSL" in line], f"{host.name}: {said}"

    short_lived = lab.token("--valid", "1s")
    fresh = lab.token()
    middle = len(fresh) // 2
    forged = fresh[:middle] + ("A" if fresh[middle] != "A" else "B") + fresh[middle + 1:]
    time.sleep(2)
    client = lab.host("client")
    logged = len(lab.process("coordinator").said())
    for number, (kind, token) in enumerate(
        [("used", lab.tokens[0]), ("forged", forged), ("expired", short_lived), ("nonsense", "token")]
    ):
        try:
            result = lab.run(
                "node", "--data", fast_folder / f"stranger-{number}", "--join", lab.coordinator.listen,
                "--token", token, "--name", "stranger", "--site", "site-1", "--listen", client.listen,
                "--s3", client.s3, "--disks", "1", host="client", check=False, timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired as error:
            pytest.fail(f"a node with a token that is {kind} was let in, or waits for ever: {error.stdout}")
        assert result.returncode != 0, f"{kind}: {result.stdout}"
        assert "joined" not in result.stdout and "ready" not in result.stdout, f"{kind}: {result.stdout}"
        assert "token" in (result.stdout + result.stderr).lower(), f"{kind}: {result.stderr}"
        if kind == "used":
            # Each address and reason once a minute: the others' may be held back.
            said = lab.process("coordinator").said()[logged:].splitlines()
            refused = [line for line in said if "a join was refused" in line and "the token" in line]
            assert len(refused) == 1 and f"address={client.address}:" in refused[0], said
    said = [line for line in lab.process("coordinator").said()[logged:].splitlines() if "a join was refused" in line]
    assert said and all(f"address={client.address}:" in line for line in said), said
    for reason in ("the token has been used", "the token has expired"):
        assert any(reason in line for line in said), (reason, said)
    assert all(disk["node"] != "stranger" for disk in cluster.status()["disks"])
    cluster.writes_go_on(cluster.names())


def test_a_name_is_given_once(cluster, fast_folder):
    """A member's name cannot be taken, also not while it is silent; with a token for it the machine joins again, and
    what has its certificate from before is refused."""
    lab, client, name = cluster.lab, cluster.lab.host("client"), "node-4"
    usual = lab.token()

    def join(other, token, folder, site="site-2"):
        return lab.run(
            "node", "--data", fast_folder / folder, "--join", lab.coordinator.listen, "--token", token, "--name", other,
            "--site", site, "--listen", client.listen, "--s3", client.s3, "--disks", "1",
            host="client", check=False, timeout=COMMAND_SECONDS)

    assert lab.admin("node", "token", "--replace", "nobody", check=False).returncode != 0
    lab.kill(name)
    # As a machine whose system disk died: its data disks are there, who it is is lost.
    (fast_folder / "before").mkdir()
    for file in ("node.pem", "node.key", "authority.pem"):
        shutil.move(lab.data(name) / file, fast_folder / "before" / file)
    # After ten seconds of silence it counts as one that does not run.
    time.sleep(15)
    refused = join(name, usual, "usurper")
    assert refused.returncode != 0 and "--replace" in refused.stderr, refused
    special = lab.token("--replace", name)
    refused = join("node-99", special, "other")
    assert refused.returncode != 0 and name in refused.stderr, refused
    # One machine in two sites would be two failure domains. What is refused costs no token.
    refused = join(name, special, "elsewhere", site="site-3")
    assert refused.returncode != 0 and "--site site-2" in refused.stderr, refused
    lab.launch(name, ["--join", lab.coordinator.listen, "--token", special])
    lab.process(name).wait_for("ready: ", START_SECONDS)
    # The old system disk lives after all: with what it holds the machine is nobody, and says so.
    refused = join(name, usual, "before")
    assert refused.returncode != 0 and f"node token --replace {name}" in refused.stderr, refused
    assert "ready:" not in refused.stdout, refused
    said = lab.process("coordinator").log.read_text().splitlines()
    said = [line for line in said if "was removed or replaced" in line]
    assert said and name in said[-1] and client.address in said[-1], said
    cluster.wait_until_whole()
    cluster.writes_go_on(cluster.names())


class Passing:
    """A node without a place in the lab: it joins, is stopped and removed, and its folder and certificate are left."""

    def __init__(self, cluster, folder, name):
        self.lab, self.folder, self.name = cluster.lab, folder, name
        self.log = folder.with_suffix(".log")

    def options(self, *more):
        client = self.lab.host("client")
        return ["node", "--data", self.folder, "--join", self.lab.coordinator.listen, "--name", self.name, "--site",
                "site-1", "--listen", client.listen, "--s3", client.s3, "--disks", "1", *more]

    def serve_until_removed(self, token):
        lab, log = self.lab, open(self.log, "a+")
        command = lab.command(lab.host("client"), [lab.binary, *self.options("--token", token)])
        node = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=lab.environment())
        try:
            deadline = time.monotonic() + COMMAND_SECONDS
            while self.name not in lab.admin("node", "list").stdout:
                assert node.poll() is None and time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.2)
        finally:
            node.terminate()
            node.wait(COMMAND_SECONDS)
        deadline = time.monotonic() + COMMAND_SECONDS
        while (done := lab.admin("node", "remove", self.name, check=False)).returncode != 0:
            assert f"{self.name} runs" in done.stderr and time.monotonic() < deadline, done
            time.sleep(1)

    def is_refused(self, *more):
        """Started again it ends, and says what to do."""
        refused = self.lab.run(*self.options(*more), host="client", check=False, timeout=COMMAND_SECONDS)
        assert refused.returncode != 0 and "ready:" not in refused.stdout, refused
        assert f"node token --replace {self.name}" in refused.stderr, refused
        assert self.name not in self.lab.admin("node", "list").stdout


def test_a_node_that_was_removed_is_refused(cluster, fast_folder):
    """Until it joins anew with a token for its name."""
    lab = cluster.lab
    node = Passing(cluster, fast_folder / "removed", "node-90")
    node.serve_until_removed(lab.token())
    # Without a token, and with one that is used up.
    for more in [], ["--token", lab.tokens[0]]:
        node.is_refused(*more)
    node.serve_until_removed(lab.token("--replace", node.name))


def test_a_join_that_could_not_serve_costs_no_token(cluster, fast_folder):
    lab, client = cluster.lab, cluster.lab.host("client")
    token = lab.token()

    def join(name, s3, *disks):
        result = lab.run(
            "node", "--data", fast_folder / "useless", "--join", lab.coordinator.listen, "--token", token,
            "--name", name, "--site", "site-2", "--listen", client.listen, "--s3", s3, *disks,
            host="client", check=False, timeout=COMMAND_SECONDS)
        assert result.returncode != 0 and "joined:" not in result.stdout, result
        return result.stderr

    missing = fast_folder / "missing"
    assert f"--disk {missing}" in join("node-98", client.s3, "--disk", missing)
    assert f"--s3 {client.listen}" in join("node-98", client.listen, "--disks", "1")
    # A token that were used up would be refused before the name is looked at.
    assert "--replace" in join("node-1", client.s3, "--disks", "1")


def test_a_node_stays_in_its_site(cluster):
    """Another --site than it joined with would put one machine into two failure domains."""
    lab, name, site = cluster.lab, "node-4", "site-2"
    lab.kill(name)
    refused = lab.run(
        "node", "--data", lab.data(name), "--site", "site-3", host=name, check=False, timeout=COMMAND_SECONDS)
    assert refused.returncode != 0 and "joined:" not in refused.stdout, refused
    assert f"--site {site}" in refused.stderr and "node drain" in refused.stderr, refused
    lab.launch(name, ["--site", site])
    lab.process(name).wait_for("ready: ", START_SECONDS)
    cluster.wait_until_whole()


@pytest.mark.parametrize("one_way", [False, True], ids=["both-ways", "one-way"])
def test_a_partition_of_one_site(cluster, one_way):
    needs_network(cluster)
    majority, minority = cluster.names("site-1", "site-2"), cluster.names("site-3")
    old, new = b"before the cut", b"after the cut" * 1000
    cluster.client(minority[0]).put_object(Bucket=STUDIES, Key="changing", Body=old)
    cluster.lab.partition("site-3", "rest", one_way)
    elapsed = cluster.writes_go_on(majority)
    report(f"a site cut off {'one way' if one_way else 'both ways'}: all others wrote within {elapsed:.1f} s")
    cluster.client(majority[0]).put_object(Bucket=STUDIES, Key="changing", Body=new)
    cluster.digests["changing"] = sha256(new)
    cluster.verify(majority)

    # Beyond the cut a client is refused or served rightly; never with what was true once.
    kept = {}

    def ask(name):
        client = cluster.client(name, retries=1, timeout=8)
        try:
            assert client.get_object(Bucket=STUDIES, Key="changing")["Body"].read() == new, f"{name} serves the past"
        except ERRORS:
            pass
        data = noise(100 * KIB, name)
        try:
            client.put_object(Bucket=STUDIES, Key=f"beyond/{name}", Body=data)
            kept[f"beyond/{name}"] = sha256(data)
        except ERRORS:
            pass

    with concurrent.futures.ThreadPoolExecutor(len(minority)) as pool:
        list(pool.map(ask, minority))
    cluster.digests.update(kept)
    cluster.lab.heal()
    report(f"the cut healed: whole after {cluster.wait_until_whole():.1f} s; {len(kept)} writes beyond it were kept")
    cluster.writes_go_on(minority)
    cluster.verify(minority)


def test_the_coordinators_database_is_gone(cluster):
    """Lost, or moved aside because it was damaged: it is read from the nodes."""
    lab = cluster.lab
    before = json.loads(lab.admin("status", "--json").stdout)["objects"]
    lab.kill("coordinator")
    shutil.rmtree(lab.data("coordinator") / "metadata")
    lab.start("coordinator")
    cluster.wait_until_serving()
    assert json.loads(lab.admin("status", "--json").stdout)["objects"] == before
    cluster.verify()
    cluster.writes_go_on(cluster.names())


def test_the_coordinators_database_is_an_old_copy(cluster, fast_folder):
    """Put back from a backup, say: what was written, replaced and deleted since is read from the journal's keepers."""
    lab, client = cluster.lab, cluster.client(cluster.names()[0])
    for key in ("replaced since", "deleted since"):
        client.put_object(Bucket=STUDIES, Key=key, Body=b"before")
    lab.stop("coordinator")
    database, copy = lab.data("coordinator") / "metadata", fast_folder / "old metadata"
    shutil.copytree(database, copy)
    lab.start("coordinator")
    with cluster.writing(cluster.names(), retries=RETRIES) as load:
        load.wait_for(20)
    client.put_object(Bucket=STUDIES, Key="replaced since", Body=b"after")
    cluster.digests["replaced since"] = sha256(b"after")
    client.delete_object(Bucket=STUDIES, Key="deleted since")
    before = cluster.status()["objects"]
    lab.kill("coordinator")
    shutil.rmtree(database)
    shutil.move(copy, database)
    lab.start("coordinator")
    cluster.wait_until_serving()
    assert cluster.status()["objects"] == before
    assert "deleted since" not in keys_of(client, STUDIES)
    cluster.verify()
    cluster.writes_go_on(cluster.names())
    cluster.wait_until_whole()


def test_take_over_from_the_kit(cluster, fast_folder):
    lab = cluster.lab
    removed = Passing(cluster, fast_folder / "removed-before", "node-91")
    removed.serve_until_removed(lab.token())
    with cluster.writing(cluster.names()) as load:
        load.wait_for(20)
        lab.kill("coordinator")
    destroy(lab.data("coordinator"))
    began = time.monotonic()
    # As it was when the cluster was formed.
    lab.take_over(lab.kit)
    ready = time.monotonic() - began
    cluster.writes_go_on(cluster.names(), max(10, WRITE_SECONDS - ready))
    report(f"a take-over: ready after {ready:.1f} s, all nodes wrote after {time.monotonic() - began:.1f} s")
    cluster.verify()
    cluster.wait_until_whole()
    assert not (lab.data("coordinator") / "taking-over").exists(), "it has come to its end"
    # Who was removed before is known from the journal.
    removed.is_refused()

    # Nodes and the new coordinator remember each other.
    lab.kill("node-8")
    lab.kill("coordinator")
    lab.start("coordinator")
    lab.start("node-8")
    cluster.writes_go_on(["node-8"])
    cluster.wait_until_whole()
    cluster.verify()


def test_a_disk_emptied_and_added_again(cluster):
    name, number = "node-9", 2
    place = cluster.lab.place(name, number)
    drained = cluster.report_of(name, number)["id"]
    with cluster.writing(cluster.names()) as load:
        load.wait_for(10)
        began = time.monotonic()
        cluster.lab.admin("disk", "drain", place)
        while drained in [disk["id"] for disk in cluster.status()["disks"]]:
            # A write may be acknowledged without a slow disk's shard; what is moved never lacks any.
            assert cluster.status()["missingShards"] < FEW_SHARDS
            assert time.monotonic() - began < WHOLE_SECONDS, cluster.lab.admin("moves").stdout
            time.sleep(0.5)
        report(f"a disk emptied under load: {time.monotonic() - began:.1f} s")
        destroy(cluster.lab.disk(name, number))
        cluster.lab.disk(name, number).mkdir()
        said = cluster.lab.admin("disk", "add", "--node", name).stdout
        assert place in said, said
        load.wait_for(10)
    report(f"and added again: whole after {cluster.wait_until_whole():.1f} s")
    while "Nothing is being moved" not in cluster.lab.admin("moves").stdout:
        assert time.monotonic() - began < 2 * WHOLE_SECONDS, cluster.lab.admin("moves").stdout
        time.sleep(0.5)
    assert cluster.report_of(name, number)["id"] != drained
    cluster.writes_go_on(cluster.names())
    cluster.verify()


def test_a_disk_given_up(cluster):
    """The last test: one disk less from here on."""
    name, number = "node-5", 1
    lost = cluster.report_of(name, number)["id"]
    destroy(cluster.lab.disk(name, number))
    cluster.lacks_something()
    said = cluster.lab.admin("disk", "retire", lost[:12]).stdout
    assert "in use no more" in said, said
    report(f"a disk given up: whole on the others after {cluster.wait_until_whole(given_up=1):.1f} s")
    assert lost not in [disk["id"] for disk in cluster.status()["disks"]]
    cluster.writes_go_on(cluster.names())
    cluster.verify()
