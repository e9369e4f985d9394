"""The files under `Cluster/` as tests see them: units, samples, the compose file, and machines that do what they say.

A machine is a folder and an address on the loopback: 10.0.B.C of a sample becomes 127.N.B.C."""

import itertools
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import time

import yaml

from support.server import COMMAND_SECONDS, START_SECONDS, STOP_SECONDS, binary

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLUSTER = ROOT / "Cluster"
UNITS = CLUSTER / "systemd"
# What the samples listen on.
PORTS = (7400, 9000)
SECTION = re.compile(r"^SUBCOMMANDS:\n(.*?)\n\n", re.S | re.M)

_help: dict[tuple, str] = {}
_networks = itertools.count(os.getpid() % 200 + 20)


class Refused(AssertionError):
    """A command line that the program does not take."""


def help_of(command: tuple[str, ...]) -> str:
    if command not in _help:
        result = subprocess.run([binary(), *command, "--help"], capture_output=True, text=True,
                                timeout=COMMAND_SECONDS)
        assert result.returncode == 0, result.stderr
        _help[command] = result.stdout
    return _help[command]


def subcommands(command: tuple[str, ...]) -> list[str]:
    found = SECTION.search(help_of(command) + "\n\n")
    return re.findall(r"^  ([a-z][a-z-]*)", found.group(1), re.M) if found else []


def check_command(words: list[str], where: str):
    """`cairn WORDS…`: that the command exists, and each option that is named. What stands for a word is let pass."""
    command: tuple[str, ...] = ()
    rest = list(words)
    while rest and (known := subcommands(command)):
        if not re.fullmatch(r"[a-z-]+", rest[0]) or rest[0].startswith("-"):
            break
        if rest[0] not in known:
            raise Refused(f"{where}: cairn {' '.join(command)} has no {rest[0]}: {' '.join(known)}")
        command += (rest.pop(0),)
    options = set(re.findall(r"(?<![\w-])(--[a-z0-9-]+)", help_of(command))) | {"--help"}
    for word in rest:
        option = word.partition("=")[0].strip("[]()`.,;:…")
        if re.match(r"--[a-z]", option) and option not in options:
            raise Refused(f"{where}: cairn {' '.join(command)} has no {option}")


def commands_of_text(path: pathlib.Path) -> list[list[str]]:
    """Every `cairn …` of a page or a list of steps: lines that begin with it, and what stands in backquotes."""
    text = path.read_text().replace("\\\n", " ")
    found = re.findall(r"`(?:[A-Z]+=\$\()?cairn ([^`]+)`", text)
    for line in text.splitlines():
        command = re.search(r"(?:^|: |-- |\$\(|coordinator )cairn ([a-z]+ .*)", line.split(" #")[0])
        if command and "`" not in line:
            found.append(command.group(1))
    return [re.sub(r"[()&]|2>.*", " ", each).split() for each in found]


def variables(path: pathlib.Path) -> dict[str, str]:
    """A file of variables as systemd reads it: NAME="VALUE", continued behind a backslash."""
    words = shlex.split(path.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words)


def sections(path: pathlib.Path) -> list[tuple[str, str]]:
    """The settings of a unit, in order."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def service_command(unit: str, environment: dict[str, str]) -> list[str]:
    """What systemd would run; `$NAME` as a word of its own is split at white space (systemd.service(5))."""
    start = dict(sections(UNITS / f"{unit}.service"))["ExecStart"]
    words = []
    for word in start.split():
        words += environment[word[1:]].split() if word.startswith("$") else [word]
    assert words.pop(0) == "/usr/bin/cairn"
    return words


def compose() -> dict:
    return yaml.safe_load((CLUSTER / "compose" / "compose.yaml").read_text())


def compose_command(service: dict, tokens: dict[str, str]) -> list[str]:
    """A service's command, with `${NAME:-DEFAULT}` filled in."""
    return re.sub(r"\$\{(\w+):-(\w+)\}", lambda found: tokens.get(found[1], found[2]), service["command"]).split()


class Machine:
    """One host of a deployment: the processes that it runs, and the files that they have."""

    def __init__(self, folder: pathlib.Path, name: str, site: str, address: str, network: str, names: dict):
        self.folder, self.name, self.site = folder / name, name, site
        self.network, self.names = network, names
        self.address = self.translate(address)
        self.environment: dict[str, str] = {}
        self.processes: dict[str, subprocess.Popen] = {}
        # Where in its log each of them begins.
        self.begins: dict[str, int] = {}
        (self.folder / "var").mkdir(parents=True)
        for number in range(1, 7):
            (self.folder / "srv" / f"disk-{number}").mkdir(parents=True)

    def translate(self, word: str) -> str:
        """A path or an address of the files, where this machine has it."""
        word = re.sub(r"^/var/lib/cairn", str(self.folder / "var"), word)
        word = re.sub(r"^/srv/cairn", str(self.folder / "srv"), word)
        word = re.sub(r"^10\.\d+\.", self.network, word)
        host, colon, port = word.rpartition(":")
        if colon and port.isdigit():
            word = f"{self.address if host == '0.0.0.0' else self.names.get(host, host)}:{port}"
        return word

    def run(self, words: list[str]) -> str:
        """`cairn WORDS…` to its end; gives what it printed."""
        command = [binary(), *map(self.translate, words)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS)
        assert result.returncode == 0, f"{self.name}: {words}\n{result.stdout}\n{result.stderr}"
        return result.stdout.strip()

    def start(self, service: str, words: list[str]):
        with open(self.log(service), "ab") as log:
            self.begins[service] = log.tell()
            self.processes[service] = subprocess.Popen(
                [binary(), *map(self.translate, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self, service: str) -> pathlib.Path:
        return self.folder / f"{service}.log"

    def see(self, service: str, text: str):
        """Waits until the service has said that since it was started last."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            status = self.processes[service].poll()
            said = self.log(service).read_bytes()[self.begins[service]:].decode(errors="replace")
            if text in said:
                return
            assert status is None, f"{service} of {self.name} ended with {status}\n{said[-2000:]}"
            assert time.monotonic() < deadline, f"{service} of {self.name} did not say {text!r}\n{said[-2000:]}"
            time.sleep(0.05)

    def stop(self):
        """SIGTERM to each, which must end with 0: what systemd and a container's engine do."""
        for service, process in self.processes.items():
            process.send_signal(signal.SIGTERM)
        for service, process in self.processes.items():
            assert process.wait(STOP_SECONDS) == 0, self.log(service).read_text(errors="replace")[-2000:]
        self.processes = {}

    def kill(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes = {}


def new_network() -> str:
    """The beginning of addresses on the loopback that nobody else uses."""
    for _ in range(254):
        network = f"127.{next(_networks) % 254 + 1}."
        if all(is_free(f"{network}0.10", port) for port in PORTS):
            return network
    raise RuntimeError(f"ports {PORTS} are taken on every address of the loopback")


def is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
