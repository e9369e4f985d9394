"""Take-overs that come to nothing: what they leave starts as nothing else, and its operator is told what to do."""

import base64
import shutil
import subprocess

import pytest

from support.server import START_SECONDS, binary, free_port


def cairn(*arguments):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=START_SECONDS)


@pytest.fixture
def cluster(folder):
    """The folder of a cluster that was made, and a recovery kit of it."""
    data, kit = folder / "made", folder / "kit"
    made = cairn("cluster", "init", "--data", data, "--scheme", "rs-2-1", "--listen", f"127.0.0.1:{free_port()}")
    assert made.returncode == 0, made.stderr
    keys = dict(line.split("=", 1) for line in (data / "credentials").read_text().splitlines() if "=" in line)
    lines = {
        "cluster-id": made.stdout.split()[1],
        "master-key": (data / "master.key").read_text().strip(),
        "scheme": "rs-2-1",
        "region": "us-east-1",
        "authority-certificate": base64.b64encode((data / "authority.pem").read_bytes()).decode(),
        "authority-key": base64.b64encode((data / "authority.key").read_bytes()).decode(),
        "root-access-key": keys["access_key"],
        "root-secret-key": keys["secret_key"],
    }
    kit.touch(0o600)
    kit.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    return data, kit


def take_over(data, kit):
    nobody = f"node-1=127.0.0.1:{free_port()}"
    return cairn("coordinator", "--take-over", "--data", data, "--kit", kit, "--node", nobody)


def test_one_that_finds_no_node_leaves_nothing(cluster, folder):
    new = folder / "new"
    failed = take_over(new, cluster[1])
    assert failed.returncode != 0 and "no node that was given by --node answers" in failed.stderr, failed
    left = {path.name for path in new.iterdir()}
    assert left <= {"lock", "metadata"} and not list((new / "metadata").iterdir()), left
    started = cairn("coordinator", "--data", new)
    assert started.returncode != 0 and "no coordinator's folder" in started.stderr, started


@pytest.mark.parametrize("is_formed", [False, True], ids=["in the middle", "before its first start"])
def test_one_that_was_cut_off_starts_as_nothing_else(cluster, folder, is_formed):
    made, kit = cluster
    # As it is left by a kill once all files are there.
    new = folder / "new"
    shutil.copytree(made, new)
    (new / "taking-over").write_text(kit.read_text().split()[1] + "\n")
    if is_formed:
        (new / "formed").write_text("\n")
    for command in ("coordinator",), ("cluster", "init"):
        refused = cairn(*command, "--data", new)
        assert refused.returncode != 0 and "--take-over" in refused.stderr, refused
        assert "ready:" not in refused.stdout
    if not is_formed:
        # The same command goes on, and comes as far as before.
        again = take_over(new, kit)
        assert again.returncode != 0 and "no node that was given by --node answers" in again.stderr, again
        kit.write_text(kit.read_text().replace("cluster-id: ", "cluster-id: 0"))
        other = take_over(new, kit)
        assert other.returncode != 0 and "another cluster" in other.stderr, other


def test_the_folder_of_another_cluster_is_not_taken(cluster):
    made, kit = cluster
    before = (made / "authority.key").read_bytes()
    refused = take_over(made, kit)
    assert refused.returncode != 0 and "empty --data" in refused.stderr, refused
    assert (made / "authority.key").read_bytes() == before
