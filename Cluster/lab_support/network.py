"""The lab's wires: a namespace for each host, a bridge for each site, a router between the sites.

    host ── bridge of its site ── router ── bridge of another site ── host
                                    └────── bridge of the office ── coordinator, clients, this machine (10.42.0.1)

Packets are dropped by policy rules, which need nothing but `ip`: in the router for hosts of two sites, where they
arrive for hosts of one site. They vanish without an answer, as on a cut line.
"""

import json
import os
import pathlib
import re
import signal
import subprocess

from .errors import CannotTest, LabError
from .hosts import MACHINE, NETWORK, OFFICE, ROUTER_HOST, Host, site_number

PREFIX = "cairn-lab-"
# The machine's end of the office's network.
DEVICE = "cairn-lab"
ROUTER = f"{PREFIX}router"
TRIAL = f"{PREFIX}trial-"
# The folder of the lab that owns the namespaces: their names allow one lab on a machine.
OWNER = pathlib.Path("/run/cairn-lab")
# Preferences of the rules, by which they are found again: cut lines, and sites that are lost.
CUT, LOST = 42, 43


def run(*command: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess:
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if check and result.returncode != 0:
        raise LabError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}\n{text or ''}".rstrip())
    return result


def batch(lines: list[str], namespace: str | None = None, force: bool = False):
    """Many `ip` commands with one process; with `force` those that fail are passed over."""
    inside = ["-n", namespace] if namespace else []
    command = ["ip", *inside, *(["-force"] if force else []), "-batch", "-"]
    run(*command, text="\n".join(lines) + "\n", check=not force)


def inside(namespace: str) -> list[str]:
    """What to write before a command so that it runs there; the process keeps its id."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def namespaces() -> list[str]:
    """The lab's namespaces on this machine, whoever made them."""
    folder = pathlib.Path("/run/netns")
    return sorted(path.name for path in folder.glob(f"{PREFIX}*")) if folder.is_dir() else []


def namespaces_of_a_lab() -> list[str]:
    """Those that are not just a trial, which comes and goes."""
    return [name for name in namespaces() if not name.startswith(TRIAL)]


def obstacle() -> str | None:
    """Why this machine can give no namespaces, found by trying; None when it can."""
    if os.geteuid() != 0:
        return "not root"
    name = f"{TRIAL}{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
        try:
            batch(["link add name bridge type bridge", "link add name one type veth peer name two",
                   "link set one master bridge", f"rule add pref {CUT} from 10.42.1.1 to 10.42.2.1 blackhole"], name)
            run(*inside(name), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        finally:
            run("ip", "netns", "del", name)
    except (LabError, OSError) as error:
        return str(error).partition("\n")[0]
    return None


def has_delay(namespace: str) -> str | None:
    """Why no link can be delayed; None when the kernel's netem works."""
    try:
        trial = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        result = run(*inside(namespace), *trial, check=False)
    except OSError as error:
        return str(error)
    if result.returncode == 0:
        run(*inside(namespace), "tc", "qdisc", "del", "dev", "lo", "root")
        return None
    return result.stderr.strip()


class Network:
    """The namespaces of one lab."""

    def __init__(self, hosts: list[Host]):
        self.hosts = hosts
        self.sites = sorted({host.site for host in hosts}, key=site_number)

    @staticmethod
    def namespace(host: Host) -> str:
        return PREFIX + host.name

    def build(self, owner: pathlib.Path):
        """Lays all wires. A lab of another folder that is still up is left alone, and named."""
        if namespaces_of_a_lab():
            other = OWNER.read_text().strip() if OWNER.exists() else "unknown"
            raise LabError(f"the namespaces of another lab are there; end it: Cluster/lab down --dir {other}")
        OWNER.write_text(f"{owner}\n")
        bridges = {site: f"{PREFIX}bridge-{site}" for site in self.sites}
        names = [ROUTER, *bridges.values(), *map(self.namespace, self.hosts)]
        lines = [f"netns add {name}" for name in names]
        for site, bridge in bridges.items():
            lines.append(f"link add name {site} netns {ROUTER} type veth peer name router netns {bridge}")
        for host in self.hosts:
            peer = f"peer name {host.name} netns {bridges[host.site]}"
            lines.append(f"link add name eth0 netns {self.namespace(host)} type veth {peer}")
        lines += [
            f"link add name {DEVICE} type veth peer name machine netns {bridges[OFFICE]}",
            f"address add {MACHINE}/24 dev {DEVICE}",
            f"link set {DEVICE} up",
            f"route add {NETWORK} via {self.gateway(OFFICE)}",
        ]
        batch(lines)
        for site, bridge in bridges.items():
            ports = ["router", *(host.name for host in self.hosts if host.site == site)]
            ports += ["machine"] if site == OFFICE else []
            batch(["link add name bridge type bridge", "link set bridge up",
                   *(f"link set {port} master bridge up" for port in ports)], bridge)
        batch(["link set lo up", *(f"address add {self.gateway(site)}/24 dev {site}" for site in self.sites),
               *(f"link set {site} up" for site in self.sites)], ROUTER)
        run(*inside(ROUTER), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for host in self.hosts:
            # The table of the host's own addresses moves behind the rules that drop what arrives for it.
            batch(["link set lo up", f"address add {host.address}/24 dev eth0", "link set eth0 up",
                   f"route add default via {self.gateway(host.site)}",
                   "rule add pref 100 lookup local", "rule del pref 0"], self.namespace(host))

    @staticmethod
    def gateway(site: str) -> str:
        return f"10.42.{site_number(site)}.{ROUTER_HOST}"

    @staticmethod
    def bytes_into(site: str) -> int:
        """Bytes that have come into a site from the others, and from the office, since the lab is up."""
        shown = run("ip", "-n", ROUTER, "-s", "-j", "link", "show", "dev", site).stdout
        return json.loads(shown)[0]["stats64"]["tx"]["bytes"]

    # Cut lines

    def cut(self, pairs: list[tuple[Host, Host]]):
        """Drops what goes from the first to the second of each pair."""
        rules: dict[str, set[str]] = {}
        for source, target in pairs:
            place = self.namespace(target) if source.site == target.site else ROUTER
            rule = f"rule add pref {CUT} from {source.address} to {target.address} blackhole"
            rules.setdefault(place, set()).add(rule)
        for place, lines in rules.items():
            # One that is there already stays.
            batch(sorted(lines), place, force=True)

    def heal(self):
        for name in [ROUTER, *map(self.namespace, self.hosts)]:
            self.remove_rules(name, CUT)

    @staticmethod
    def remove_rules(namespace: str, preference: int, selector: str = ""):
        count = run("ip", "-n", namespace, "rule", "list", "pref", str(preference)).stdout.count("\n")
        if count:
            batch([f"rule del pref {preference} {selector}".rstrip()] * count, namespace, force=True)

    def lose(self, site: str):
        """Nothing goes to a site or comes from it any more, as when its line and its power are gone."""
        network = f"10.42.{site_number(site)}.0/24"
        batch([f"rule add pref {LOST} from {network} blackhole", f"rule add pref {LOST} to {network} blackhole"],
              ROUTER, force=True)

    def find(self, site: str):
        network = f"10.42.{site_number(site)}.0/24"
        for selector in (f"from {network}", f"to {network}"):
            self.remove_rules(ROUTER, LOST, selector)

    # Slow lines

    def slow(self, host: Host, amount: str):
        """Delays what a host sends (`50ms`), or bounds how much it sends and gets (`2mbit`)."""
        if re.fullmatch(r"\d+(\.\d+)?(us|ms|s)", amount):
            reason = has_delay(self.namespace(host))
            if reason:
                raise CannotTest(f"no link can be delayed: this kernel has no netem ({reason}); a rate (2mbit) works")
            kind = ["netem", "delay", amount]
        elif re.fullmatch(r"\d+(\.\d+)?[kmg]bit", amount):
            kind = ["tbf", "rate", amount, "burst", "64k", "latency", "500ms"]
        else:
            raise LabError(f"neither a delay (50ms) nor a rate (2mbit): {amount}")
        self.queue(host, "eth0", self.namespace(host), kind)
        if kind[0] == "tbf":
            self.queue(host, host.name, f"{PREFIX}bridge-{host.site}", kind)

    @staticmethod
    def queue(host: Host, device: str, namespace: str, kind: list[str]):
        result = run(*inside(namespace), "tc", "qdisc", "replace", "dev", device, "root", *kind, check=False)
        if result.returncode != 0:
            raise CannotTest(f"the line of {host.name} cannot be made slow here: {result.stderr.strip()}")

    def hurry(self, host: Host):
        """The line of a host is as fast as before."""
        for device, namespace in (("eth0", self.namespace(host)), (host.name, f"{PREFIX}bridge-{host.site}")):
            run(*inside(namespace), "tc", "qdisc", "del", "dev", device, "root", check=False)


def remove(owner: pathlib.Path):
    """Takes every namespace and device away, with what still runs inside; again and again if need be. Namespaces of
    another lab stay."""
    if OWNER.exists() and OWNER.read_text().strip() != str(owner):
        return
    for name in namespaces():
        for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
            # Only the lab starts anything in its namespaces.
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run("ip", "netns", "del", name)
    # The device goes with its other end, a moment later; asked twice it is gone for certain.
    run("ip", "link", "del", DEVICE, check=False)
    OWNER.unlink(missing_ok=True)
