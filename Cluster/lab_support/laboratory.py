"""The lab itself: what every verb of `Cluster/lab` does, also for tests."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from . import network
from .errors import CannotTest, LabError
from .hosts import OFFICE, Host, plan
from .network import Network
from .processes import Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATE = "lab.json"
READY, JOINED = "ready: ", "joined: "
# A process that hangs is given up after this time; one that is only slow, on a machine ten times slower, is not.
READY_SECONDS = 300
STOP_SECONDS = 300
# What a node says that could not end the requests in progress.
CUT_OFF = "requests were cut off at a stop"
# Those that make files on many disks wait ten minutes themselves.
ADMIN_SECONDS = 900


def default_binary() -> str:
    return os.environ.get("CAIRN_BINARY") or str(ROOT / ".build" / "release" / "cairn")


class Lab:
    """Some sites with some nodes each, and a coordinator.

    Everything is kept under `folder`: the data of each process, what it says (`logs`), and `lab.json`, from which a
    later run of the lab goes on (`Lab.open`). As a context manager it is up inside and gone afterwards, data and all.
    """

    def __init__(self, folder, sites=3, nodes=3, disks=2, scheme="rs-6-6", binary=None, keys=None, say=None,
                 is_networked: bool | None = None, coordinator_site=OFFICE, late=0):
        """`keys`: access and secret key of root, given to every process; made by `cluster init` when not given.
        `say`: is told what a person would type, and what the machine cannot do. `is_networked`: namespaces or not;
        tried when not given. `coordinator_site`: it is lost with that site. `late`: so many nodes more in each site
        have their place in the network, and join only when `join` is asked for them."""
        self.folder = pathlib.Path(folder).resolve()
        self.binary = str(pathlib.Path(binary or default_binary()).resolve())
        self.disks, self.scheme, self.keys = disks, scheme, keys
        self.say = say or (lambda text: None)
        # What this machine cannot test, one sentence each.
        self.cannot: list[str] = []
        if is_networked is None:
            obstacle = network.obstacle()
            is_networked = obstacle is None
        else:
            obstacle = "loopback was asked for"
        self.is_networked = is_networked
        if not is_networked:
            self.cannot.append(f"partitions: no network namespaces ({obstacle}); all runs on loopback ports")
            self.cannot.append("slow lines: no network namespaces")
            self.cannot.append("sites that vanish without a word: their nodes are killed, their ports still refuse")
        self.hosts = {host.name: host for host in plan(sites, nodes + late, is_networked, coordinator_site)}
        in_sites = {site: [host.name for host in self.hosts.values() if host.role == "node" and host.site == site]
                    for site in (f"site-{number + 1}" for number in range(sites))}
        self.late = {name for names in in_sites.values() for name in names[nodes:]}
        self.network = Network(list(self.hosts.values())) if is_networked else None
        self.processes: dict[str, Process] = {}
        # The host on which the coordinator is now: a take-over moves it.
        self.coordinator_name = "coordinator"
        self.cuts: list[list[str]] = []
        self.lost: list[str] = []
        self.slowed: dict[str, str] = {}
        # Join tokens that were used, in order; never written down.
        self.tokens: list[str] = []
        self.saving = threading.Lock()

    # State

    @classmethod
    def open(cls, folder, say=None) -> "Lab":
        """The lab that an earlier run left up in `folder`."""
        path = pathlib.Path(folder).resolve() / STATE
        if not path.exists():
            raise LabError(f"no lab is up in {folder}: Cluster/lab up --dir {folder}")
        state = json.loads(path.read_text())
        lab = cls(folder, state["sites"], state["nodes"], state["disks"], state["scheme"], state["binary"], say=say,
                  is_networked=state["isNetworked"])
        lab.cannot = state["cannot"]
        lab.hosts = {fields["name"]: Host(**fields) for fields in state["hosts"]}
        lab.late = set(state["late"])
        if lab.network:
            lab.network.hosts = list(lab.hosts.values())
        lab.coordinator_name = state["coordinator"]
        lab.cuts, lab.lost, lab.slowed = state["cuts"], state["lost"], state["slowed"]
        lab.processes = {name: Process(name, lab.logs, record) for name, record in state["processes"].items()}
        return lab

    def save(self):
        """Written anew and put in place whole: a lab that is ended in the middle still finds its processes."""
        sites = sorted({node.site for node in self.nodes()})
        state = {
            "sites": len(sites), "nodes": len(self.nodes(sites[0])), "disks": self.disks, "scheme": self.scheme,
            "binary": self.binary, "isNetworked": self.is_networked, "coordinator": self.coordinator_name,
            "cannot": self.cannot, "cuts": self.cuts, "lost": self.lost, "slowed": self.slowed,
            "hosts": [vars(host) for host in self.hosts.values()], "late": sorted(self.late),
            "processes": {name: process.record for name, process in self.processes.items() if process.record},
        }
        with self.saving:
            new = self.folder / f"{STATE}.new"
            new.write_text(json.dumps(state, indent=1) + "\n")
            os.replace(new, self.folder / STATE)

    @property
    def logs(self) -> pathlib.Path:
        return self.folder / "logs"

    @property
    def kit(self) -> pathlib.Path:
        """What a take-over needs, taken when the cluster was formed."""
        return self.folder / "kit"

    def nodes(self, site: str | None = None) -> list[Host]:
        return [host for host in self.hosts.values()
                if host.role == "node" and host.name not in self.late and site in (None, host.site)]

    def sites(self) -> list[str]:
        return list(dict.fromkeys(node.site for node in self.nodes()))

    @property
    def coordinator(self) -> Host:
        return self.hosts[self.coordinator_name]

    def host(self, name: str) -> Host:
        """A host by its name; `coordinator` is the one that is the coordinator now."""
        if name == "coordinator":
            return self.coordinator
        if name not in self.hosts:
            raise LabError(f"no {name} in this lab; there are {', '.join(self.hosts)}")
        return self.hosts[name]

    def group(self, name: str) -> list[Host]:
        """The hosts that a word means for a cut: a host, a site, or the coordinator wherever it is."""
        if name in self.sites():
            return self.nodes(name)
        if name == "coordinator":
            return [host for host in self.hosts.values() if host.role == "coordinator"]
        return [self.host(name)]

    def data(self, name: str) -> pathlib.Path:
        host = self.host(name)
        return self.folder / "nodes" / host.name if host.role == "node" else self.folder / host.name

    def disk(self, name: str, number: int) -> pathlib.Path:
        return self.data(name) / "disks" / f"disk-{number}"

    def place(self, name: str, number: int) -> str:
        """A disk as the operator's commands name it."""
        return f"{self.host(name).site}/{name}/disk-{number}"

    def process(self, name: str) -> Process:
        host = self.host(name)
        return self.processes.setdefault(host.name, Process(host.name, self.logs))

    def is_alive(self, name: str) -> bool:
        return self.process(name).is_alive()

    def died_unasked(self) -> list[str]:
        """Processes that ended though nobody ended them."""
        return [name for name, process in self.processes.items()
                if process.record and process.record["wanted"] != "ended" and not process.is_alive()]

    # Commands

    def command(self, host: Host, arguments: list) -> list[str]:
        prefix = network.inside(self.network.namespace(host)) if self.network else []
        return [*prefix, *map(str, arguments)]

    def environment(self) -> dict:
        environment = {name: value for name, value in os.environ.items() if name != "CAIRN_DATA"}
        if self.keys:
            environment.update(CAIRN_ROOT_ACCESS_KEY=self.keys[0], CAIRN_ROOT_SECRET_KEY=self.keys[1])
        return environment

    def shown(self, arguments: list) -> str:
        """A command as a person types it."""
        words = ["$TOKEN" if before == "--token" else str(word) for before, word in zip([None, *arguments], arguments)]
        return "cairn " + " ".join(words)

    def run(self, *arguments, host: str = "coordinator", check=True, timeout=ADMIN_SECONDS, is_shown=False):
        """`cairn ARGUMENTS…` to its end, on a host of the lab; its output is in the result."""
        if is_shown:
            self.say(self.shown(list(arguments)))
        result = subprocess.run(
            self.command(self.host(host), [self.binary, *arguments]), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=timeout, env=self.environment())
        if check and result.returncode != 0:
            raise LabError(f"{self.shown(list(arguments))} ended with {result.returncode}\n"
                           f"{result.stdout}\n{result.stderr}\n{self.process('coordinator').tail()}")
        return result

    def admin(self, *arguments, **options):
        return self.run("admin", *arguments, "--data", self.data("coordinator"), **options)

    def token(self, *options) -> str:
        """A fresh token with which one node may join."""
        return self.admin("node", "token", *options).stdout.strip()

    def credentials(self) -> tuple[str, str]:
        """Root's keys: those given, else those that `cluster init` made."""
        given = self.environment()
        if given.get("CAIRN_ROOT_ACCESS_KEY") and given.get("CAIRN_ROOT_SECRET_KEY"):
            return given["CAIRN_ROOT_ACCESS_KEY"], given["CAIRN_ROOT_SECRET_KEY"]
        lines = (self.data("coordinator") / "credentials").read_text().splitlines()
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        return fields["access_key"], fields["secret_key"]

    # Up and down

    def up(self) -> "Lab":
        """Does what README says, and gives the lab once all nodes serve. When that fails all is ended; the data and
        what the processes said stays for a look."""
        if (self.folder / STATE).exists():
            raise LabError(f"a lab is up in {self.folder}, or one failed there: Cluster/lab down --dir {self.folder}")
        if not os.access(self.binary, os.X_OK):
            raise LabError(f"no program at {self.binary}: `make build`, or --binary, or CAIRN_BINARY")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save()
        try:
            if self.network:
                self.network.build(self.folder)
                reason = network.has_delay(self.network.namespace(self.coordinator))
                if reason:
                    self.cannot.append(f"delayed lines: this kernel has no netem ({reason})")
            self.warn()
            self.form()
        except BaseException:
            self.end_all()
            raise
        return self

    def warn(self):
        for sentence in self.cannot:
            self.say(f"!!! cannot test {sentence}")
        if self.cannot:
            self.say(f"!!! things that this machine cannot test: {len(self.cannot)}")

    def form(self):
        self.run("cluster", "init", "--data", self.data("coordinator"), "--listen", self.coordinator.listen,
                 "--scheme", self.scheme, is_shown=True)
        self.launch("coordinator", is_shown=True)
        self.process("coordinator").wait_for(READY, READY_SECONDS)
        for node in self.nodes():
            self.launch_new(node)
        self.wait(JOINED)
        self.admin("cluster", "form", is_shown=True)
        self.wait(READY)
        self.admin("recovery-kit", "--to", self.kit, is_shown=True)

    def launch_new(self, node: Host):
        """Starts a node that is no member yet, with a token and disks of its own."""
        self.say(f"TOKEN=$(cairn admin node token --data {self.data('coordinator')})")
        self.tokens.append(self.token())
        disks = [self.disk(node.name, number) for number in range(1, self.disks + 1)]
        for disk in disks:
            disk.mkdir(parents=True, exist_ok=True)
        self.launch(node.name, ["--join", self.coordinator.listen, "--token", self.tokens[-1], "--name", node.name,
                                "--site", node.site, "--listen", node.listen, "--s3", node.s3,
                                *(word for disk in disks for word in ("--disk", disk))], is_shown=True)

    def join(self, name: str):
        """A node that was held back becomes a member, with disks that hold nothing yet."""
        self.late.remove(name)
        self.launch_new(self.host(name))
        self.process(name).wait_for(READY, READY_SECONDS)

    def wait(self, beginning: str, seconds: float = READY_SECONDS):
        """Until every node that runs has said a line that begins so."""
        deadline = time.monotonic() + seconds
        for node in self.nodes():
            if self.is_alive(node.name) or self.process(node.name).record["wanted"] == "running":
                self.process(node.name).wait_for(beginning, max(1, deadline - time.monotonic()))

    def launch(self, name: str, options=(), is_shown=False):
        """Starts a process and does not wait. A node remembers the options of its first start."""
        host = self.host(name)
        kind = "node" if host.role == "node" else "coordinator"
        # It knows where it listens from `cluster init`; one that takes over is to be told.
        listen = ["--listen", host.listen] if "--take-over" in options else []
        arguments = [kind, "--data", self.data(name), *options, *listen]
        if is_shown:
            self.say(self.shown(arguments))
        self.process(name).start(self.command(host, [self.binary, *arguments]), self.environment())
        self.save()

    def down(self, keeps_data=False):
        """Ends all that runs, removes the network and, unless told not to, the data. Safe to repeat."""
        self.end_all()
        if not keeps_data:
            for name in ("logs", "nodes", "coordinator", "coordinator-2"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self.kit.unlink(missing_ok=True)
        for name in (STATE, f"{STATE}.new"):
            (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def end_all(self):
        """SIGTERM to all, nodes first; what does not end in time is killed."""
        running = [process for process in self.processes.values() if process.is_alive()]
        for process in running:
            process.record["wanted"] = "ended"
            for number in (signal.SIGCONT, signal.SIGTERM):
                if process.is_alive():
                    process.signal(number)
        deadline = time.monotonic() + 5
        for process in running:
            process.wait(max(0.0, deadline - time.monotonic()))
            process.kill()
        if self.network:
            network.remove(self.folder)
        if (self.folder / STATE).exists():
            self.save()

    def __enter__(self) -> "Lab":
        return self.up()

    def __exit__(self, *_):
        self.down()

    # Processes

    def start(self, name: str, seconds: float = READY_SECONDS):
        """Starts a process again as it was and waits until it is ready."""
        self.launch(name)
        self.process(name).wait_for(READY, seconds)

    def start_all(self, names: list[str], seconds: float = READY_SECONDS):
        """Starts several at once and waits for all: a node may be ready only when others are."""
        for name in names:
            self.launch(name)
        deadline = time.monotonic() + seconds
        for name in names:
            self.process(name).wait_for(READY, max(1, deadline - time.monotonic()))

    def kill(self, name: str):
        """SIGKILL: nothing is said, nothing is flushed."""
        process = self.process(name)
        if process.record:
            process.record["wanted"] = "ended"
        process.kill()
        self.save()

    def stop(self, name: str):
        """SIGTERM; one that does not end well in its time is killed and reported."""
        process = self.process(name)
        cut_off = process.said().count(CUT_OFF)
        process.signal(signal.SIGTERM)
        process.record["wanted"] = "ended"
        self.save()
        if not process.wait(STOP_SECONDS):
            process.kill()
            raise LabError(f"{name} did not stop within {STOP_SECONDS} s of SIGTERM\n{process.tail()}")
        if process.status() not in (None, 0):
            raise LabError(f"{name} ended with {process.status()} after SIGTERM\n{process.tail()}")
        if process.said().count(CUT_OFF) > cut_off:
            raise LabError(f"{name} waited at its stop for what did not end\n{process.tail()}")

    def stop_all(self):
        """SIGTERM to all that runs, the coordinator last; the first that does not stop well is reported."""
        nodes = [node.name for node in self.nodes() if self.is_alive(node.name)]
        with concurrent.futures.ThreadPoolExecutor(max(1, len(nodes))) as pool:
            list(pool.map(self.stop, nodes))
        if self.is_alive("coordinator"):
            self.stop("coordinator")

    def pause(self, name: str):
        """It hangs: connections stay, nothing is answered."""
        self.process(name).signal(signal.SIGSTOP)
        self.process(name).record["wanted"] = "paused"
        self.save()

    def resume(self, name: str):
        self.process(name).signal(signal.SIGCONT)
        self.process(name).record["wanted"] = "running"
        self.save()

    def take_over(self, kit: pathlib.Path):
        """Starts another coordinator on the spare host, from a recovery kit and the nodes alone."""
        if self.is_alive("coordinator"):
            raise LabError("the coordinator runs: kill it first")
        spare = next(host for host in self.group("coordinator") if host.name != self.coordinator_name)
        if (self.folder / spare.name).exists():
            raise LabError(f"{self.folder / spare.name} holds an earlier coordinator: remove it first")
        nodes = [word for node in self.nodes() for word in ("--node", f"{node.name}={node.listen}")]
        self.coordinator_name = spare.name
        self.launch("coordinator", ["--take-over", "--kit", kit, *nodes], is_shown=True)
        self.process("coordinator").wait_for(READY, READY_SECONDS)

    # The network

    def wires(self, what: str) -> Network:
        if self.network is None:
            raise CannotTest(f"cannot {what}: this lab has no network of its own, it runs on loopback ports")
        return self.network

    def partition(self, first: str, second: str, one_way=False):
        """Drops all that goes between two hosts or groups; one way only what the first sends to the second. `rest` as
        the second is every other node and the coordinator: clients still reach both."""
        wires = self.wires("partition")
        sources = self.group(first)
        others = [host for host in self.hosts.values() if host.role != "client" and host not in sources]
        targets = others if second == "rest" else self.group(second)
        pairs = [(a, b) for a in sources for b in targets if a != b]
        wires.cut(pairs if one_way else [*pairs, *((b, a) for a, b in pairs)])
        self.cuts.append([first, second, "one way" if one_way else "both ways"])
        self.save()

    def heal(self):
        """All lines are whole and fast again. Lost sites stay lost."""
        wires = self.wires("heal")
        wires.heal()
        for name in self.slowed:
            for host in self.group(name):
                wires.hurry(host)
        self.cuts, self.slowed = [], {}
        self.save()

    def slow(self, name: str, amount: str):
        for host in self.group(name):
            self.wires("slow a line down").slow(host, amount)
        self.slowed[name] = amount
        self.save()

    def lose_site(self, site: str):
        """A site is gone at once: its line first, so that nobody hears its nodes die, then every process in it, the
        coordinator if it is there."""
        if site not in self.sites():
            raise LabError(f"no site {site}; there are {', '.join(self.sites())}")
        if self.network:
            self.network.lose(site)
        for name in [node.name for node in self.nodes(site)] + ["coordinator"] * (self.coordinator.site == site):
            self.kill(name)
        if site not in self.lost:
            self.lost.append(site)
        self.save()

    def return_site(self, site: str, waits=True):
        """Brings its line and its nodes back; `waits` until they are ready, which takes a coordinator."""
        if site not in self.lost:
            raise LabError(f"{site} is not lost")
        if self.network:
            self.network.find(site)
        self.lost.remove(site)
        self.save()
        names = [node.name for node in self.nodes(site) if not self.is_alive(node.name)]
        if waits:
            self.start_all(names)
        else:
            for name in names:
                self.launch(name)

    def exec(self, name: str, command: list[str]) -> int:
        """Runs a command as if on that host, with this terminal; gives its status."""
        if self.network is None:
            self.say("!!! no network of its own: the command runs in this machine's")
        return subprocess.call(self.command(self.host(name), command))

    # What a person looks at

    def status(self) -> str:
        lines = []
        for host in self.hosts.values():
            process = self.processes.get(host.name)
            state = "-"
            if process and process.record:
                wanted = process.record["wanted"]
                state = f"{wanted}, {process.pid}" if process.is_alive() else "ended" if wanted == "ended" else "DIED"
            s3 = host.s3 if host.role == "node" else ""
            lines.append(f"{host.name:14} {host.site:8} {host.listen:22} {s3:22} {state}")
        lines += [f"cut: {first} {second}, {ways}" for first, second, ways in self.cuts]
        lines += [f"slow: {name}, {amount}" for name, amount in self.slowed.items()]
        lines += [f"lost: {site}" for site in self.lost]
        lines += [f"!!! cannot test {sentence}" for sentence in self.cannot]
        if self.is_alive("coordinator"):
            result = self.admin("status", check=False)
            lines += ["", result.stdout.rstrip() or result.stderr.rstrip()]
        return "\n".join(lines)
