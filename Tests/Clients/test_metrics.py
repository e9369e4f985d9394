"""What a monitor reads: `/-/metrics` says of the store what its status says, as Prometheus wants it."""

import re
import urllib.request

from support.data import noise
from support.raw import TIMEOUT
from support.server import Server

LINE = re.compile(r'^(cairn_[a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (-?\d+)$')


def metrics(server) -> dict[str, int]:
    with urllib.request.urlopen(f"{server.url}/-/metrics", timeout=TIMEOUT) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    types = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE "))
    for line in lines:
        if line.startswith("#"):
            continue
        name, label, value = LINE.match(line).groups()
        assert types[name] == ("counter" if name.endswith("_total") else "gauge"), line
        assert name + (label or "") not in found, line
        found[name + (label or "")] = int(value)
    return found


def test_metrics_and_status_agree(folder):
    server = Server(folder / "data").start()
    try:
        client = server.client()
        client.create_bucket(Bucket="archive")
        client.put_object(Bucket="archive", Key="one", Body=noise(5000, 1))
        before, status = metrics(server), server.status()
        assert before["cairn_objects"] == status["objects"] == 1
        assert before["cairn_recovery_kit_taken"] == status["recoveryKitTaken"] == 0
        nodes = sorted({(disk["site"], disk["node"]) for disk in status["disks"]})
        assert before['cairn_nodes{state="up"}'] == len(nodes)
        assert not any(before[f'cairn_nodes{{state="{state}"}}'] for state in ["suspect", "down", "out"])
        assert all(before[f'cairn_node_up{{node="{node}",site="{site}"}}'] == 1 for site, node in nodes)
        assert before["cairn_nodes_in_maintenance"] == 0
        assert before["cairn_moving_shards"] == before["cairn_moving_bytes"] == before["cairn_moved_bytes_total"] == 0
        # The machine that runs this may have little room left.
        refused = [room for room in status["room"] if room["state"] in ["largeRefused", "refused"]]
        assert before['cairn_large_writes_refused{class="STANDARD"}'] == len(refused)

        server.admin("recovery-kit", "--to", folder / "kit")
        server.admin("node", "maintenance", "begin", "/".join(nodes[0]), "--for", "1h")
        after = metrics(server)
        assert after["cairn_recovery_kit_taken"] == 1
        assert after["cairn_nodes_in_maintenance"] == 1
    finally:
        server.stop()
