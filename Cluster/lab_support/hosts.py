"""Who lives where in a lab: names, sites, addresses and ports."""

import dataclasses
import socket

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


def plan(sites: int, nodes: int, is_networked: bool) -> list[Host]:
    """All hosts of a lab of `sites` sites with `nodes` nodes each. Nodes are numbered through, so that a name alone
    says which one is meant. Without a network of its own each gets free ports on the loopback."""
    if not (1 <= sites <= LARGEST and 1 <= nodes <= LARGEST):
        raise LabError(f"a lab has 1 to {LARGEST} sites and as many nodes in each, not {sites} × {nodes}")
    places = [("coordinator", "coordinator", OFFICE, 10), ("coordinator-2", "coordinator", OFFICE, 11),
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
    """Ports that nobody listens on, all different because all are held at once."""
    held = []
    try:
        for _ in range(count):
            probe = socket.socket()
            held.append(probe)
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()
