"""The stores that are measured: a lab of many processes, and one process with as many disks."""

import json
import os
import pathlib
import secrets
import shutil
import subprocess
import time

from lab_support import Lab, LabError
from lab_support.hosts import free_ports
from lab_support.laboratory import READY, READY_SECONDS
from lab_support.processes import Process

POLL = 0.25
LIMIT_SECONDS = 600


class Watched:
    """What an operator's status says of a store, whatever it consists of."""

    def status(self) -> dict:
        return json.loads(self.admin("status", "--json").stdout)

    def moves(self) -> dict:
        return json.loads(self.admin("moves", "--json").stdout)

    def live_bytes(self) -> dict[str, int]:
        """Bytes of shards on each disk."""
        return {"/".join((disk["site"], disk["node"], disk["slot"])): disk["liveBytes"]
                for disk in self.status()["disks"]}

    def wait_for(self, what: str, is_reached, seconds: float = LIMIT_SECONDS) -> dict:
        """Asks for the status until it says so; gives it."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if is_reached(status):
                return status
            if time.monotonic() > deadline:
                raise LabError(f"after {seconds:.0f} s not {what}: {json.dumps(status)}")
            time.sleep(POLL)

    def wait_until_whole(self, seconds: float = LIMIT_SECONDS) -> dict:
        return self.wait_for("whole", is_whole, seconds)


def is_back(status: dict) -> bool:
    """No shard is noted as missing."""
    return status["missingShards"] == 0 and all(disk["state"] in ("healthy", "full") for disk in status["disks"])


def is_whole(status: dict) -> bool:
    """Every shard was counted, found and verified, and the journal is where it should be."""
    count = status["verification"]
    return (is_back(status) and not count["active"]
            and count["shardsExpected"] == count["shardsPresent"] == count["shardsVerified"]
            and all(keeper["state"] == "current" for keeper in status["journal"]["keepers"]))


class Cluster(Watched, Lab):
    """The lab, with clients at its first node."""

    @property
    def endpoint(self) -> str:
        return self.nodes()[0].s3

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes.values() if process.is_alive()]


class Single(Watched):
    """`cairn serve` with folders as disks."""

    def __init__(self, folder, binary: str, *options):
        self.folder, self.binary = pathlib.Path(folder), binary
        self.data = self.folder / "single"
        self.options = list(map(str, options))
        self.endpoint = f"127.0.0.1:{free_ports(1)[0]}"
        self.keys = ("CAIRNBENCHROOTKEY001", secrets.token_hex(20))
        self.process = Process("single", self.folder / "logs")

    def __enter__(self) -> "Single":
        self.data.mkdir(parents=True)
        environment = {**os.environ, "CAIRN_ROOT_ACCESS_KEY": self.keys[0], "CAIRN_ROOT_SECRET_KEY": self.keys[1]}
        command = [self.binary, "serve", "--data", str(self.data), "--listen", self.endpoint, *self.options]
        self.process.start(command, environment)
        try:
            self.process.wait_for(READY, READY_SECONDS)
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def credentials(self) -> tuple[str, str]:
        return self.keys

    def pids(self) -> list[int]:
        return [self.process.pid] if self.process.is_alive() else []

    def admin(self, *arguments) -> subprocess.CompletedProcess:
        result = subprocess.run([self.binary, "admin", *map(str, arguments), "--data", str(self.data)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode != 0:
            raise LabError(f"cairn admin {arguments}: {result.stdout}{result.stderr}")
        return result

    def disk_folder(self, place: str) -> pathlib.Path:
        site, node, slot = place.split("/")
        return self.data / "sites" / site / "nodes" / node / "disks" / slot
