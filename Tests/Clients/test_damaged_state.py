"""A small file of a coordinator's or node's folder that is damaged ends the start with its name and what to do about
it: to take it for one that is not there would be to forget, without a word, who is a member and which certificates
count."""

import subprocess
import threading

import pytest

from support.server import binary, free_port

# With a word of what there is to do.
COORDINATORS = {
    "cluster.json": "take over from the kit",
    "nodes.json": "or remove it: nodes that run tell anew where they are",
    "members.json": "or remove it: the names of members",
    "tokens.json": "cairn admin node token",
    "certificates.json": "machines that were removed or replaced",
}
DAMAGES = {"cut off": b'[{"name": "no', "emptied": b"", "rotted": bytes(range(128, 228)), "another's": b"7"}


def run(*arguments, timeout=60):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def coordinator(data) -> subprocess.CompletedProcess:
    """Started, and stopped as soon as it is ready; its status then is 0."""
    process = subprocess.Popen(
        [binary(), "coordinator", "--data", str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
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
