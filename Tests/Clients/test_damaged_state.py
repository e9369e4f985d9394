"""A small file of a coordinator's or node's folder that is damaged ends the start with its name and what to do about
it: to take it for one that is not there would be to forget, without a word, who is a member and which certificates
count."""

import contextlib
import shutil
import subprocess
import threading
import time

import pytest

from support.server import binary, free_port

# With a word of what there is to do.
COORDINATORS = {
    "cluster.json": "take over from the kit",
    "nodes.json": "or remove it: nodes that run tell anew where they are",
    "members.json": "or remove it: the names of members",
    "tokens.json": "cairn admin node token",
    "certificates.json": "machines that were removed or replaced",
    "authority.pem": "restore authority.pem and authority.key from a backup, or take over from the kit",
    "authority.key": "restore authority.pem and authority.key from a backup, or take over from the kit",
}
DAMAGES = {"cut off": b'[{"name": "no', "emptied": b"", "rotted": bytes(range(128, 228)), "another's": b"7"}


def run(*arguments, timeout=60):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def until_ready(*arguments) -> subprocess.CompletedProcess:
    """Started, and stopped as soon as it says its first line."""
    command = [binary(), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        said = process.stdout.readline()
        if said:
            process.terminate()
        rest, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, said + rest, errors)
    finally:
        killer.cancel()


def coordinator(data) -> subprocess.CompletedProcess:
    return until_ready("coordinator", "--data", data)


@pytest.fixture
def data(folder):
    data = folder / "coordinator"
    made = run("cluster", "init", "--data", data, "--listen", f"127.0.0.1:{free_port()}", "--scheme", "rs-2-1")
    assert made.returncode == 0, made.stderr
    return data


@pytest.mark.parametrize("name", COORDINATORS)
def test_a_damaged_file_of_a_coordinator_is_named(data, name):
    file = data / name
    before = file.read_bytes() if file.exists() else None
    for kind, damage in DAMAGES.items():
        file.write_bytes(damage)
        result = coordinator(data)
        assert result.returncode > 0 and "ready" not in result.stdout, f"{kind}: {result.stdout}"
        said = " ".join(result.stderr.split())
        assert f"{file} cannot be read, or is damaged: " in said and COORDINATORS[name] in said, f"{kind}: {said}"
        assert "Swift" not in said and "NSCocoa" not in said, f"{kind}: {said}"
        assert file.read_bytes() == damage, "it was written over"
    if before is None:
        # As at a first start.
        file.unlink()
    else:
        file.write_bytes(before)
    result = coordinator(data)
    assert result.stdout.startswith("ready: coordinator") and result.returncode == 0, result.stderr


def test_a_damaged_file_of_a_node_is_named(folder):
    file = folder / "node" / "node.json"
    file.parent.mkdir()
    for kind, damage in DAMAGES.items():
        file.write_bytes(damage)
        result = run("node", "--data", file.parent)
        said = " ".join(result.stderr.split())
        assert result.returncode > 0, kind
        assert f"{file} cannot be read, or is damaged: remove it, and give all options" in said, f"{kind}: {said}"


class Members:
    """A coordinator that runs, and the folders of two nodes that have joined and are stopped."""

    FILES = ("node.pem", "node.key", "authority.pem")

    def __init__(self, folder):
        self.coordinator, self.listen = folder / "coordinator", f"127.0.0.1:{free_port()}"
        self.node, self.other = folder / "node-3", folder / "node-4"
        self.remedy = f"`cairn admin node token --replace {self.node.name}`"
        made = run("cluster", "init", "--data", self.coordinator, "--listen", self.listen, "--scheme", "rs-2-1")
        assert made.returncode == 0, made.stderr

    @contextlib.contextmanager
    def running(self):
        command = [binary(), "coordinator", "--data", str(self.coordinator)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout.readline().startswith("ready: ")
            for node in self.node, self.other:
                self.starts(node, *self.join(), "--name", node.name, "--site", "site-1", "--disks", "1",
                            "--listen", f"127.0.0.1:{free_port()}", "--s3", f"127.0.0.1:{free_port()}")
            yield self
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def token(self, *more):
        made = run("admin", "node", "token", "--data", self.coordinator, *more)
        assert made.returncode == 0, made.stderr
        return next(word for word in made.stdout.split() if word.startswith("cairn1."))

    def join(self, *more):
        return "--join", self.listen, "--token", self.token(*more)

    def starts(self, node, *more):
        result = until_ready("node", "--data", node, *more)
        # It may be stopped before it serves.
        assert result.stdout.startswith(f"joined: node {node.name}"), result.stderr

    def join_anew(self) -> subprocess.CompletedProcess:
        """One that was heard of a moment ago may run still, for the coordinator: then it is tried again."""
        deadline = time.monotonic() + 60
        arguments = "--data", self.node, *self.join("--replace", self.node.name)
        while True:
            result = until_ready("node", *arguments)
            if f"{self.node.name} runs" not in result.stderr or time.monotonic() > deadline:
                return result
            time.sleep(1)

    def joins_anew(self):
        result = self.join_anew()
        assert result.stdout.startswith(f"joined: node {self.node.name}"), result.stderr

    def is_refused(self, *words):
        """And says what to do; also with a token that cannot be used."""
        for more in [], ["--join", self.listen, "--token", "used"]:
            result = run("node", "--data", self.node, *more)
            said = " ".join(result.stderr.split())
            assert result.returncode > 0 and "joined:" not in result.stdout, (words, result.stdout)
            assert all(word in said for word in words), (words, said)
            assert f"start it once with --join ADDRESS:PORT and --token of {self.remedy}" in said, said
            assert "Swift" not in said and "NSCocoa" not in said, said

    def kept(self, node):
        return {name: (node / name).read_bytes() for name in self.FILES}


def test_a_damaged_identity_of_a_node_is_named_and_mended_with_a_token(folder):
    with Members(folder).running() as members:
        node = members.node
        good = members.kept(node)
        for name in Members.FILES:
            for damage in DAMAGES.values():
                (node / name).write_bytes(damage)
                members.is_refused(f"{node / name} cannot be read, or is damaged")
            (node / name).write_bytes(good[name])
        members.starts(node)
        for name in "node.key", "authority.pem":
            (node / name).unlink()
            members.is_refused(f"{node / name} is not there")
            (node / name).write_bytes(good[name])
        # Parts of two identities.
        (node / "node.key").write_bytes((members.other / "node.key").read_bytes())
        members.is_refused(f"{node}/node.key does not belong to {node}/node.pem")
        members.joins_anew()
        for name in Members.FILES:
            (node / name).write_bytes(DAMAGES["rotted"])
            members.joins_anew()
            members.starts(node)

        # Another member's identity: it would be two nodes at once.
        for name in "node.pem", "node.key":
            shutil.copy(members.other / name, node / name)
        members.is_refused(f"{node}/node.pem is the certificate of node node-4", f"{node}/node.json says node-3",
                           "put back this node's node.pem and node.key")
        members.joins_anew()
        members.starts(node)


def test_a_node_starts_after_a_crash_between_a_new_key_and_its_certificate(folder):
    """What is kept at a renewal and at a join is cut off before each file; the old identity or the new one is whole."""
    with Members(folder).running() as members:
        node = members.node
        for name in "node.key.next", "authority.pem", "node.pem", "node.key":
            is_new = name == "node.key"
            before = members.kept(node)
            # The reason to join; where no other was kept, the old one is put back for the start that follows.
            (node / "node.pem").write_bytes(b"")
            obstacle = node / (name if is_new else name + ".new")
            if is_new:
                # The new certificate is kept, its key cannot have its name.
                obstacle.unlink()
            (obstacle / "in the way").mkdir(parents=True)
            result = members.join_anew()
            assert result.returncode > 0 and not result.stdout, (name, result.stdout)
            shutil.rmtree(obstacle)
            if is_new:
                obstacle.write_bytes(before["node.key"])
            else:
                assert (node / "node.pem").read_bytes() == b"", name
                (node / "node.pem").write_bytes(before["node.pem"])
            members.starts(node)
            after = members.kept(node)
            for file in "node.pem", "node.key":
                assert (after[file] != before[file]) == is_new, (name, file)
        (node / "node.pem").write_bytes(b"")
        members.joins_anew()
        assert not list(node.glob("node.key.*")), list(node.iterdir())
