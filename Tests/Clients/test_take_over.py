"""Take-overs that come to nothing: what they leave starts as nothing else, and its operator is told what to do. And
what one that succeeds knows of the cluster."""

import base64
import json
import shutil
import subprocess
import time

import pytest

from support.cluster import Cluster, Lab
from support.server import ACCESS_KEY, SECRET_KEY, START_SECONDS, binary, free_port

# One that is let in would serve on.
JOIN_SECONDS = 60


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


def test_a_damaged_kit_is_named_and_makes_no_folder(cluster, folder):
    kit, new = cluster[1], folder / "new"
    text = kit.read_text()
    fields = dict(line.split(": ") for line in text.splitlines())
    garbled = text.replace(fields["authority-certificate"], base64.b64encode(b"no certificate").decode())
    for damaged in ("", text[:len(text) // 2], garbled):
        kit.write_text(damaged)
        failed = take_over(new, kit)
        assert failed.returncode != 0 and str(kit) in failed.stderr, failed
        assert not new.exists(), list(new.iterdir())


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


@pytest.fixture
def taken_over(fast_folder):
    """A cluster of three nodes on loopback ports that another coordinator has taken over, and how a node without a disk
    in use, which joined before that and was stopped since, is started."""
    lab = Lab(fast_folder / "lab", sites=1, nodes=3, disks=1, scheme="rs-2-1", binary=binary(),
              keys=(ACCESS_KEY, SECRET_KEY), is_networked=False)
    cluster, client = Cluster(lab), lab.host("client")

    def command(folder, *more):
        return ["node", "--data", fast_folder / folder, "--join", lab.coordinator.listen, "--name", "idle", "--site",
                "site-1", "--listen", client.listen, "--s3", client.s3, "--disks", "1", *more]

    try:
        lab.up()
        with open(fast_folder / "idle.log", "w") as log:
            words = map(str, [binary(), *command("idle", "--token", lab.token())])
            idle = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: "idle" in lab.admin("node", "list").stdout)
            # The others hear of it by their next beats, and the take-over from them.
            time.sleep(2)
            lab.kill("coordinator")
            lab.take_over(lab.kit)
            cluster.wait_until_serving()
        finally:
            idle.terminate()
            idle.wait(START_SECONDS)
        yield lab, command
        lab.stop_all()
    finally:
        lab.down()


def wait_until(is_so):
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_the_new_coordinator_knows(taken_over):
    lab, command = taken_over
    assert json.loads(lab.admin("status", "--json").stdout)["recoveryKitTaken"], "it is from the kit"
    # The name of a node that joined by the coordinator before, and is removed by this one, stays taken.
    wait_until(lambda: lab.admin("node", "remove", "idle", check=False).returncode == 0)
    usual = lab.token()
    refused = lab.run(*command("other", "--token", usual), host="client", check=False, timeout=JOIN_SECONDS)
    assert refused.returncode != 0 and "joined:" not in refused.stdout, refused
    assert "node token --replace idle" in refused.stderr, refused
    # Also once only its certificates tell of it; and with the token that was named it could join.
    lab.stop("coordinator")
    (lab.data("coordinator") / "members.json").unlink()
    lab.start("coordinator")
    refused = lab.run(*command("other", "--token", usual), host="client", check=False, timeout=JOIN_SECONDS)
    assert "node token --replace idle" in refused.stderr, refused
    lab.token("--replace", "idle")
