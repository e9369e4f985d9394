"""Who lives where in a lab: names, sites, addresses and ports."""

import dataclasses
import fcntl
import io
import os
import pathlib
import random
import socket
import tempfile

from .errors import LabError

# The network of the coordinator, of a spare place for another one, and of clients.
OFFICE = "office"
# The end of the office's network that this machine itself holds, so that any client here reaches the lab.
MACHINE = "10.42.0.1"
NETWORK = "10.42.0.0/16"
# The router's address in each site's network.
ROUTER_HOST = 254
# Cairn's processes call each other on this port, S3 clients call the other.
CLUSTER_PORT = 7400
S3_PORT = 9000
LARGEST = 100
# Where ports on the loopback are looked for: beyond those that services have by name.
LOWEST_PORT, HIGHEST_PORT = 10_000, 65_535
# What `free_ports` gave so far. A server that is down for a moment finds its port free when it is back.
_given: set[int] = set()
# Tells the same to other processes of this user: the byte of each port that one gave is locked while it runs.
PORTS_LOCK = pathlib.Path(tempfile.gettempdir()) / f"cairn-ports-{os.getuid()}"
_lock: io.FileIO | None = None


@dataclasses.dataclass(frozen=True)
class Host:
    """One machine of the lab: in a namespace of its own, or only a pair of ports of this machine."""

    name: str
    role: str  # "node", "coordinator" or "client"
    site: str
    address: str
    port: int
    s3_port: int

    @property
    def listen(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def s3(self) -> str:
        return f"{self.address}:{self.s3_port}"


def site_number(site: str) -> int:
    return 0 if site == OFFICE else int(site.rpartition("-")[2])


def plan(sites: int, nodes: int, is_networked: bool, coordinator_site: str = OFFICE) -> list[Host]:
    """All hosts of a lab of `sites` sites with `nodes` nodes each. Nodes are numbered through, so that a name alone
    says which one is meant. Without a network of its own each gets free ports on the loopback. The spare place for a
    coordinator is in the office, wherever the first one is."""
    if not (1 <= sites <= LARGEST and 1 <= nodes <= LARGEST):
        raise LabError(f"a lab has 1 to {LARGEST} sites and as many nodes in each, not {sites} × {nodes}")
    places = [("coordinator", "coordinator", coordinator_site, 10), ("coordinator-2", "coordinator", OFFICE, 11),
              ("client", "client", OFFICE, 20)]
    for number in range(sites * nodes):
        site = number // nodes + 1
        places.append((f"node-{number + 1}", "node", f"site-{site}", 11 + number % nodes))
    if is_networked:
        return [Host(name, role, site, f"10.42.{site_number(site)}.{host}", CLUSTER_PORT, S3_PORT)
                for name, role, site, host in places]
    ports = iter(free_ports(2 * len(places)))
    return [Host(name, role, site, "127.0.0.1", next(ports), next(ports)) for name, role, site, _ in places]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on. They stay free until they are used: the kernel gives none of them
    to whoever connects or asks for any port, and no call gives one again, nor does one of another process before this
    one has ended."""
    candidates = [port for port in unassigned_ports() if port not in _given]
    random.SystemRandom().shuffle(candidates)
    found = []
    for port in candidates:
        if len(found) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _lock_port(port):
            found.append(port)
    if len(found) < count:
        raise LabError(f"only {len(found)} of {count} ports are free")
    _given.update(found)
    return found


def _lock_port(port: int) -> bool:
    """Whether no other process has it. Locks of lockf(3) are a process's own, and end with it."""
    global _lock
    if _lock is None:
        # One descriptor for all: closing any of the file would let go of every lock.
        _lock = open(PORTS_LOCK, "ab", buffering=0)
    try:
        fcntl.lockf(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def unassigned_ports() -> list[int]:
    """Those that the kernel gives to nobody by itself (ip(7), `ip_local_port_range`)."""
    own = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest, highest = map(int, own.read_text().split()) if own.exists() else (0, 0)
    return [port for port in range(LOWEST_PORT, HIGHEST_PORT + 1) if not lowest <= port <= highest]
