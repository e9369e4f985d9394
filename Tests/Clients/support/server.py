"""A `cairn serve` of one's own: started on a free port, stopped by its own process id, never left behind."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "Cluster"))

from lab_support.hosts import free_ports  # noqa: E402

ACCESS_KEY = "CAIRNTESTROOTKEY0001"
SECRET_KEY = "test/Secret+Key0123456789abcdefghijklmno"
REGION = "us-east-1"

# A server that hangs is given up after this time; one that is only slow, on a machine ten times slower, is not.
START_SECONDS = 300
STOP_SECONDS = 300
# What a server says that could not end the requests in progress: a stop of one that has none is not to say it, however
# long it takes.
CUT_OFF = "requests were cut off at a stop"
# A command that hangs is given up after this time: those that make files on many disks wait ten minutes themselves.
COMMAND_SECONDS = 900
# A monitor that is not answered gives up after this time.
METRIC_SECONDS = 60
# What was lost, or left behind by a slow disk, is made anew within this time.
WHOLE_SECONDS = 300


def binary() -> str:
    """The program under test: $CAIRN_BINARY, else the release build of this checkout."""
    default = ROOT / ".build" / "release" / "cairn"
    path = pathlib.Path(os.environ.get("CAIRN_BINARY") or default).resolve()
    if not path.is_file():
        raise RuntimeError(f"no cairn binary at {path}: run `make build`, or set CAIRN_BINARY")
    return str(path)


def free_port() -> int:
    return free_ports(1)[0]


class Endpoint:
    """An S3 endpoint that clients can be pointed at."""

    def __init__(self, port: int, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY):
        self.host = "127.0.0.1"
        self.port = port
        self.access_key = access_key
        self.secret_key = secret_key

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def client(self, retries: int = 1, timeout: float = 120, connections: int = 32, connect: float = 10,
               region: str = REGION, **config):
        """A boto3 client; `retries` counts all attempts, so 1 shows each error as the server gave it."""
        config.setdefault("s3", {"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=region,
            config=Config(
                retries={"total_max_attempts": retries, "mode": "standard"},
                connect_timeout=connect,
                read_timeout=timeout,
                max_pool_connections=connections,
                **config,
            ),
        )

    def environment(self, home) -> dict:
        """An environment for command-line clients that knows this endpoint and nothing of the user's own."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }


class Server(Endpoint):
    """One `cairn serve` process over the folder `data`; `start` may follow `stop` or `kill` any number of times."""

    def __init__(self, data, arguments=(), environment=None):
        super().__init__(free_port())
        self.data = pathlib.Path(data)
        self.arguments = list(arguments)
        # What the process is given beside the keys; not the operator's commands.
        self.environment_of_process = dict(environment or {})
        self.process = None
        self.lines = []
        # Where in the log this process begins.
        self.log_start = 0
        self.log = self.data.parent / f"{self.data.name}.log"

    # Life

    def start(self) -> "Server":
        assert self.process is None, "already running"
        self.data.mkdir(parents=True, exist_ok=True)
        command = [binary(), "serve", "--data", str(self.data), "--listen", self.address, *self.arguments]
        environment = dict(os.environ, CAIRN_ROOT_ACCESS_KEY=self.access_key, CAIRN_ROOT_SECRET_KEY=self.secret_key)
        environment.update(self.environment_of_process)
        self.lines = []
        with open(self.log, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True, errors="replace"
            )
        is_ready = threading.Event()
        threading.Thread(target=self._read_output, args=(self.process, self.lines, is_ready), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while not is_ready.wait(0.02):
            if self.process.poll() is not None:
                status, self.process = self.process.returncode, None
                raise RuntimeError(f"cairn serve ended with {status} before it was ready\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"cairn serve not ready after {START_SECONDS} s\n{self.tail()}")
        return self

    @staticmethod
    def _read_output(process, lines, is_ready):
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("ready: "):
                is_ready.set()

    def stop(self):
        """SIGTERM to this process alone; one that does not end within its time is killed and reported."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is not None:
            raise RuntimeError(f"cairn serve had ended by itself with {process.returncode}\n{self.tail()}")
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"cairn serve did not stop within {STOP_SECONDS} s of SIGTERM\n{self.tail()}") from None
        if status != 0:
            raise RuntimeError(f"cairn serve ended with {status} after SIGTERM\n{self.tail()}")
        if CUT_OFF in self.said():
            raise RuntimeError(f"cairn serve waited at its stop for what did not end\n{self.tail()}")

    def kill(self):
        """SIGKILL: nothing is said, nothing is flushed."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        """What this process has logged so far."""
        with open(self.log, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        """The end of what it said, for error messages."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([*self.lines[-20:], *text.splitlines()[-30:]])

    # What it holds

    def disks(self) -> list[pathlib.Path]:
        return sorted(path for path in self.data.glob("sites/*/nodes/*/disks/*") if path.is_dir())

    def size(self) -> int:
        """Bytes on disk of all that is in the data folder, holes not counted."""
        total = 0
        for folder, _, files in os.walk(self.data):
            for name in files:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    pass  # Removed while we looked.
        return total

    def memory(self) -> dict[str, int]:
        """Resident bytes now (`VmRSS`) and at most so far (`VmHWM`)."""
        values = {}
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name in ("VmRSS", "VmHWM"):
                    values[name] = int(value.split()[0]) * 1024
        return values

    # The operator's commands

    def run(self, *arguments, check=True, timeout=COMMAND_SECONDS, environment=None) -> subprocess.CompletedProcess:
        """Runs `cairn ARGUMENTS…`; its output is in the result. `environment` is added to this process's own."""
        result = subprocess.run(
            [binary(), *map(str, arguments)],
            capture_output=True, text=True, errors="replace", timeout=timeout,
            env={**os.environ, "CAIRN_DATA": str(self.data), **(environment or {})},
        )
        if check and result.returncode != 0:
            raise RuntimeError(f"cairn {arguments} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    def admin(self, *arguments, **options) -> subprocess.CompletedProcess:
        return self.run("admin", *arguments, "--data", self.data, **options)

    def status(self) -> dict:
        return json.loads(self.admin("status", "--json").stdout)

    def metric(self, name: str) -> int:
        """A number of what a monitor reads."""
        with urllib.request.urlopen(f"{self.url}/-/metrics", timeout=METRIC_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return int(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))

    def replace(self, disk: pathlib.Path, *options):
        """Puts a new, empty disk in the place of one that is gone, as an operator does."""
        disk.mkdir(parents=True, exist_ok=True)
        self.admin("disk", "replace", disk, *options)

    def wait_until_whole(self, seconds: float = WHOLE_SECONDS):
        """Waits until `admin status` counts every shard as present and verified. A write does not wait for a disk that
        is slow for a quarter of a second: whoever takes as many disks as the scheme bears waits for this before."""
        deadline = time.monotonic() + seconds
        while True:
            lacking = lacks(self.status())
            if not lacking:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"after {seconds} s still {lacking}: {self.status()}\n{self.tail()}")
            time.sleep(0.5)


def wait_for(what, seconds: float = WHOLE_SECONDS):
    """Waits until `what` gives something true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def lacks(status: dict) -> dict[str, int]:
    """What a status says is missing, unverified or waiting; empty when every shard is present and verified."""
    verification = status["verification"]
    expected = verification["shardsExpected"]
    counts = {
        "shards missing": status["missingShards"],
        "shards not found": expected - verification["shardsPresent"],
        "shards not verified": expected - verification["shardsVerified"],
        # What was counted so far says nothing of the rest.
        "passes under way": int(verification["active"]),
        "shards missing on disks": sum(disk["missingShards"] for disk in status["disks"]),
        "blobs beyond repair": status["blobsBelowK"],
        "bytes to repair": status["repair"]["bytesLeft"],
        "keepers not current": sum(keeper["state"] != "current" for keeper in status["journal"]["keepers"]),
        "disks not healthy": sum(disk["state"] != "healthy" for disk in status["disks"]),
    }
    return {name: count for name, count in counts.items() if count}


def destroy(disk: pathlib.Path):
    """Takes a disk away from a running process: its files lose their bytes first, so that no open descriptor still
    reads them, then the tree goes."""
    assert disk.is_absolute() and len(disk.parts) > 3, f"{disk} is no disk of a test: nothing is taken away"
    for folder, _, files in os.walk(disk):
        for name in files:
            try:
                if os.path.isfile(os.path.join(folder, name)):
                    os.truncate(os.path.join(folder, name), 0)
            except FileNotFoundError:
                pass
    shutil.rmtree(disk, ignore_errors=True)
    # A server that writes while we remove can leave a file behind once.
    shutil.rmtree(disk, ignore_errors=True)


def flip_bytes(disk: pathlib.Path, count: int, random, minimum_size: int = 4096) -> int:
    """Flips `count` bytes at random in the non-zero blocks of a disk's large files; gives how many it flipped."""
    files = [path for path in sorted(disk.rglob("*")) if size_of(path) >= minimum_size]
    flipped = 0
    for _ in range(count * 50):
        if flipped == count or not files:
            break
        # A server that goes on may have removed the file by now.
        with contextlib.suppress(FileNotFoundError):
            flipped += flip_byte(random.choice(files), random)
    return flipped


def size_of(path: pathlib.Path) -> int:
    """Of a file; 0 of what is none, or is none any more."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def flip_byte(path: pathlib.Path, random) -> bool:
    """Flips a byte at random, unless it is zero: that is mostly space that holds nothing yet."""
    with open(path, "r+b") as file:
        offset = random.randrange(max(1, os.fstat(file.fileno()).st_size))
        file.seek(offset)
        old = file.read(1)
        if old in (b"", b"\0"):
            return False
        file.seek(offset)
        file.write(bytes([old[0] ^ random.randrange(1, 256)]))
    return True
