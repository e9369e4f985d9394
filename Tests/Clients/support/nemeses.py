"""What is done to a cluster while clients use it: each a function that begins a fault and gives what ends it, or None
when only an operator can. An end waits for nothing, as another fault may still be in the way; `settle` waits for all.
"""

import time

from support.cluster import Cluster
from support.server import destroy

# What a start may take, also one that has to be made again.
SETTLE_SECONDS = 300
# Bounds a node's line to what a few clients fill.
NARROW = "4mbit"
DELAY = "80ms"


def node_killed(cluster: Cluster, site: str):
    name = cluster.names(site)[0]
    cluster.lab.kill(name)
    return lambda: launch(cluster, name)


def node_paused(cluster: Cluster, site: str):
    return pause(cluster, cluster.names(site)[1])


def coordinator_killed(cluster: Cluster, _: str):
    cluster.lab.kill("coordinator")
    return lambda: launch(cluster, "coordinator")


def coordinator_paused(cluster: Cluster, _: str):
    return pause(cluster, "coordinator")


def site_cut(cluster: Cluster, site: str):
    cluster.lab.partition(site, "rest")
    return cluster.lab.heal


def site_unheard(cluster: Cluster, site: str):
    """It hears everyone, and nobody hears it."""
    cluster.lab.partition(site, "rest", one_way=True)
    return cluster.lab.heal


def site_deaf(cluster: Cluster, site: str):
    """Everyone hears it, and it hears only the coordinator."""
    for other in cluster.lab.sites():
        if other != site:
            cluster.lab.partition(other, site, one_way=True)
    return cluster.lab.heal


def coordinator_unreached(cluster: Cluster, site: str):
    """A site that reaches the others, and not the coordinator."""
    cluster.lab.partition("coordinator", site)
    return cluster.lab.heal


def sites_apart(cluster: Cluster, site: str):
    """Two sites that reach the third and the coordinator, and not one another."""
    other = next(name for name in cluster.lab.sites() if name != site)
    cluster.lab.partition(site, other)
    return cluster.lab.heal


def site_lost(cluster: Cluster, site: str):
    cluster.lab.lose_site(site)
    return lambda: cluster.lab.return_site(site, waits=False)


def disk_lost(cluster: Cluster, site: str):
    """Its bytes are gone; `settle` puts an empty one in its place."""
    destroy(cluster.lab.disk(cluster.names(site)[2], 2))


def line_narrow(cluster: Cluster, site: str):
    cluster.lab.slow(cluster.names(site)[2], NARROW)
    return cluster.lab.heal


def line_slow(cluster: Cluster, site: str):
    cluster.lab.slow(site, DELAY)
    return cluster.lab.heal


# Those that every pair is made of.
MAIN = [node_killed, node_paused, site_cut, site_unheard, coordinator_paused, coordinator_killed, disk_lost, site_lost]
ALL = [*MAIN, site_deaf, coordinator_unreached, sites_apart, line_narrow, line_slow]
# Those that need a network of the lab's own.
WIRED = [site_cut, site_unheard, site_deaf, coordinator_unreached, sites_apart, line_narrow, line_slow]
# Those that are silence to the others, which they take for a loss after five seconds: before that most writes wait.
SILENT = [site_cut, site_unheard, site_deaf, coordinator_unreached, sites_apart, site_lost]
# Those that some client must have noticed, or they were none.
FELT = [node_killed, node_paused, site_cut, site_unheard, coordinator_paused, coordinator_killed, site_lost]


def launch(cluster: Cluster, name: str):
    if not cluster.lab.is_alive(name):
        cluster.lab.launch(name)


def pause(cluster: Cluster, name: str):
    """What does not run cannot hang; what was killed while it hung is not woken."""
    lab = cluster.lab

    def resume():
        if lab.is_alive(name) and lab.process(name).record["wanted"] == "paused":
            lab.resume(name)

    if lab.is_alive(name):
        lab.pause(name)
    return resume


def settle(cluster: Cluster):
    """Waits until every process is ready, and the store itself. One that ended though nobody ended it is a fault of the
    program: no cut or loss of these lasts as long as it is to wait."""
    deadline = time.monotonic() + SETTLE_SECONDS
    names = ["coordinator", *cluster.names()]
    while not all(is_ready(cluster, name) for name in names):
        died = cluster.lab.died_unasked()
        assert not died, f"ended unasked: {died}\n{cluster.tails(*died)}"
        assert time.monotonic() < deadline, f"not ready in {SETTLE_SECONDS} s\n{cluster.tails(*names)}"
        time.sleep(0.05)
    cluster.mend()


def is_ready(cluster: Cluster, name: str) -> bool:
    return any(line.startswith("ready: ") for line in cluster.lab.process(name).lines())
