"""A node's data folder is copied, and started beside the original: the coordinator says that two run as one node, in
status, doctor and log, asks for none of its disks to be given up, and refuses it."""

import json
import shutil
import subprocess
import time

from support.server import binary, free_port

PATIENCE = 60


def admin(data, *arguments) -> subprocess.CompletedProcess:
    command = [binary(), "admin", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def done(*arguments) -> str:
    result = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


class Processes:
    """Coordinator and nodes, each with its log; all end with the test."""

    def __init__(self, folder):
        self.folder, self.all = folder, []
        self.coordinator, self.address = folder / "coordinator", f"127.0.0.1:{free_port()}"

    def start(self, log, *arguments) -> subprocess.Popen:
        with open(self.folder / f"{log}.log", "w") as file:
            process = subprocess.Popen([binary(), *map(str, arguments)], stdout=subprocess.PIPE, stderr=file, text=True)
        self.all.append(process)
        # Its pipe is short enough for what it says after that.
        assert process.stdout.readline(), (self.folder / f"{log}.log").read_text()
        return process

    def node(self, log, data, *arguments) -> str:
        listen = f"127.0.0.1:{free_port()}"
        self.start(log, "node", "--data", data, "--listen", listen, "--s3", f"127.0.0.1:{free_port()}", *arguments)
        return listen

    def join(self, name) -> str:
        said = done("admin", "node", "token", "--data", self.coordinator)
        token = next(word for word in said.split() if word.startswith("cairn1."))
        return self.node(name, self.folder / name, "--join", self.address, "--token", token, "--name", name, "--site",
                         "site-1", "--disks", "1")

    def end(self):
        for process in self.all:
            process.terminate()
        for process in self.all:
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def until(look):
    """What `look` finds; it is tried again until that is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {PATIENCE} s")


def test_a_copied_node_is_told_and_its_disks_are_kept(folder):
    cluster = Processes(folder)
    data = cluster.coordinator
    done("cluster", "init", "--data", data, "--listen", cluster.address, "--scheme", "rs-2-1")
    try:
        cluster.start("coordinator", "coordinator", "--data", data)
        addresses = [cluster.join(f"node-{number}") for number in (1, 2, 3)]
        until(lambda: admin(data, "cluster", "form").returncode == 0)
        until(lambda: admin(data, "status").returncode == 0)
        assert "processes run as node" not in admin(data, "status").stdout
        shutil.copytree(folder / "node-3", folder / "copy")
        copy = cluster.node("copy", folder / "copy")

        def copied():
            result = admin(data, "status", "--json")
            return result.returncode == 0 and json.loads(result.stdout).get("copiedNodes")

        found = until(copied)
        assert [(node["site"], node["name"]) for node in found] == [("site-1", "node-3")]
        assert sorted(found[0]["processes"]) == sorted([addresses[2], copy])
        for command in "status", "doctor":
            said = " ".join(admin(data, command).stdout.split())
            assert "two processes run as node site-1/node-3" in said and "stop the copy" in said, said
            assert "cairn admin disk re" not in said, said
        for command in "replace", "retire":
            refused = admin(data, "disk", command, "node-3/disk-1")
            said = " ".join(refused.stderr.split())
            assert refused.returncode != 0 and "two processes run as node" in said and "with --force" in said, said
            plan = json.loads(admin(data, "disk", command, "node-3/disk-1", "--dry-run", "--json").stdout)
            assert "two processes run as node" in plan["refusal"], plan
        log = (folder / "coordinator.log").read_text()
        # Both beat several times a second.
        assert 1 <= log.count("several processes run as one node") <= 2 and copy in log, log
    finally:
        cluster.end()
