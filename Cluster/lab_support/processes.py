"""Processes known by their id and the moment they began, so that no verb ever hits a stranger that got an old id."""

import os
import pathlib
import signal
import subprocess
import time

from .errors import LabError

POLL = 0.02


def began(pid: int) -> int | None:
    """When a process began, in ticks since the machine's start; None when there is none, or only its exit status."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name may hold blanks and parentheses; the fields behind it do not.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Process:
    """A started program: its own child, or one that an earlier run of the lab started."""

    def __init__(self, name: str, logs: pathlib.Path, record: dict | None = None):
        self.name = name
        self.output, self.log = logs / f"{name}.out", logs / f"{name}.err"
        self.child: subprocess.Popen | None = None
        self.record = record

    def start(self, command: list[str], environment: dict):
        if self.is_alive():
            raise LabError(f"{self.name} runs already, as process {self.pid}")
        self.output.parent.mkdir(parents=True, exist_ok=True)
        offset = self.output.stat().st_size if self.output.exists() else 0
        with open(self.output, "ab") as output, open(self.log, "ab") as log:
            # A session of its own: what ends the lab's terminal does not end it.
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                                          env=environment, start_new_session=True)
        self.record = {"pid": self.child.pid, "began": began(self.child.pid), "offset": offset, "wanted": "running"}

    @property
    def pid(self) -> int:
        return self.record["pid"]

    def is_alive(self) -> bool:
        if self.child is not None and self.child.poll() is not None:
            return False
        return bool(self.record and self.record["began"]) and self.record["began"] == began(self.pid)

    def signal(self, number: int):
        if not self.is_alive():
            raise LabError(f"{self.name} does not run\n{self.tail()}")
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def kill(self):
        """SIGKILL, and gone when this returns."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
            if not self.wait(30):
                raise LabError(f"{self.name} (process {self.pid}) outlives SIGKILL")

    def status(self) -> int | None:
        """What it ended with; None when it runs or was not this process's child."""
        return self.child.poll() if self.child is not None else None

    def lines(self) -> list[str]:
        """What it said on its output since it was started last."""
        if self.record is None or not self.output.exists():
            return []
        with open(self.output, "rb") as file:
            file.seek(self.record["offset"])
            return file.read().decode(errors="replace").splitlines()

    def wait_for(self, beginning: str, seconds: float) -> str:
        """Waits for a line that begins so, and gives it."""
        deadline = time.monotonic() + seconds
        while True:
            is_alive = self.is_alive()
            found = next((line for line in self.lines() if line.startswith(beginning)), None)
            if found is not None:
                return found
            if not is_alive:
                raise LabError(f"{self.name} ended with {self.status()} before it said {beginning!r}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not say {beginning!r} within {seconds:.0f} s\n{self.tail()}")
            time.sleep(POLL)

    def said(self) -> str:
        """All that it ever logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self) -> str:
        """The end of what it said, for messages."""
        return "\n".join([f"--- {self.name}", *self.lines()[-10:], *self.said().splitlines()[-20:]])
