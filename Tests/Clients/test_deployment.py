"""What `Cluster/` gives an operator: units, samples and the compose file. Every command line is held against the
program's own help, and every sample is carried out on this machine: each service with the command of its unit, on
addresses and in folders of its own. See Docs/Testing.md."""

import re
import shlex
import shutil
import subprocess
import time
import warnings

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support import deployment
from support.data import MIB, noise
from support.deployment import CLUSTER, ROOT, UNITS, Machine
from support.server import COMMAND_SECONDS, START_SECONDS, Endpoint

SAMPLES = ["one-server", "one-site", "three-sites"]
SERVICES = ["cairn-serve", "cairn-coordinator", "cairn-node"]
PAGES = [ROOT / "README.md", ROOT / "Docs" / "Operations.md", ROOT / "Docs" / "DisasterRecovery.md",
         *(CLUSTER / "samples" / name / "steps" for name in SAMPLES)]
# What the steps of a sample do beside running cairn: carried out otherwise here, or nothing that a test could do.
IGNORED = ("apt install ", "chown cairn: ")


# Command lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.name}")
def test_commands_that_pages_name_exist(page):
    commands = deployment.commands_of_text(page)
    assert commands, f"no command found in {page}"
    for words in commands:
        deployment.check_command(words, str(page.relative_to(ROOT)))


@pytest.mark.parametrize("service", SERVICES)
def test_options_of_units_exist(service):
    short = service.removeprefix("cairn-")
    words = deployment.service_command(service, deployment.variables(UNITS / f"{short}.env"))
    deployment.check_command(words, service)
    assert any(word.startswith("--data") for word in words)


def test_options_of_the_compose_file_exist():
    for name, service in deployment.compose()["services"].items():
        deployment.check_command(deployment.compose_command(service, {}), f"compose.yaml, {name}")
    text = (CLUSTER / "compose" / "compose.yaml").read_text()
    commands = re.findall(r"coordinator cairn ([a-z ]+)", text)
    assert len(commands) == 4
    for words in commands:
        deployment.check_command(words.split(), "compose.yaml, its head")


def test_a_wrong_option_would_be_noticed():
    for words in (["serve", "--dat", "x"], ["admin", "nod", "token"], ["node", "--data=x", "--scheme"]):
        with pytest.raises(deployment.Refused):
            deployment.check_command(words, "here")


# Units


def test_units_keep_their_promises():
    """What an operator relies on, each with its reason in the file."""
    common = dict(deployment.sections(UNITS / "cairn-.service.d" / "10-common.conf"))
    assert common["User"] == "cairn" and common["Restart"] == "always"
    assert common["RestartPreventExitStatus"] == "64"
    assert int(common["TimeoutStopSec"]) > 30
    for service in SERVICES:
        unit = deployment.sections(UNITS / f"{service}.service")
        data = deployment.service_command(service, dict.fromkeys(
            ["CAIRN_SERVE_OPTIONS", "CAIRN_COORDINATOR_OPTIONS", "CAIRN_NODE_OPTIONS", "CAIRN_NODE_JOIN"], ""))[2]
        assert dict(unit)["StateDirectory"] == data.removeprefix("/var/lib/")
    conditions = [value for name, value in unit_of("cairn-coordinator") if name == "ConditionPathExists"]
    assert "!/var/lib/cairn/coordinator/superseded" in conditions


def unit_of(service):
    return deployment.sections(UNITS / f"{service}.service")


def test_wrong_options_end_with_64(folder):
    """The status that units do not restart on, and one that they do."""
    cairn = deployment.binary()
    assert subprocess.run([cairn, "serve", "--nonsense"], capture_output=True).returncode == 64
    lacks_disks = [cairn, "serve", "--data", str(folder / "data"), "--disk", str(folder / "none")]
    assert subprocess.run(lacks_disks, capture_output=True).returncode == 1


def test_systemd_takes_the_units(folder):
    """`systemd-analyze verify` says nothing: it warns of names and values that systemd would pass over."""
    if not shutil.which("systemd-analyze"):
        reason = "NOT TESTED, whether systemd takes the units: no systemd-analyze here"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    shutil.copytree(UNITS / "cairn-.service.d", folder / "cairn-.service.d")
    for service in SERVICES:
        text = (UNITS / f"{service}.service").read_text()
        # What the package brings is not here: the program and its manual.
        text = text.replace("/usr/bin/cairn", deployment.binary()).replace("man:cairn(1) ", "")
        (folder / f"{service}.service").write_text(text)
    result = subprocess.run(
        ["systemd-analyze", "verify", *(str(folder / f"{service}.service") for service in SERVICES)],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        timeout=COMMAND_SECONDS)
    said = [line for line in result.stderr.splitlines() if "cairn" in line]
    assert result.returncode == 0 and not said, result.stderr


# Carrying them out


@pytest.fixture
def machines():
    made: list[Machine] = []
    try:
        yield made
    finally:
        for machine in made:
            machine.kill()


@pytest.mark.parametrize("sample", SAMPLES)
def test_sample(sample, machines, fast_folder):
    network = deployment.new_network()
    for line in (CLUSTER / "samples" / sample / "hosts").read_text().splitlines():
        if not line.startswith("#"):
            name, site, address = line.split()
            machines.append(Machine(fast_folder / sample, name, site, address, network, {}))
    if sample == "one-server":
        machines[0].address = f"{network}0.1"
    follow_steps(CLUSTER / "samples" / sample / "steps", machines)
    store = machines[0]
    assert (store.folder / "var" / "kit.txt").stat().st_mode & 0o077 == 0
    folder = next(path.parent for path in (store.folder / "var").glob("*/credentials"))
    keys = dict(line.split("=", 1) for line in (folder / "credentials").read_text().splitlines())
    gateways = [machine for machine in machines if machine.site != "-"] or machines
    stores_everywhere([endpoint(machine, keys) for machine in gateways])
    for machine in [*machines[1:], machines[0]]:
        machine.stop()


def follow_steps(path, machines: list[Machine]):
    nodes = [machine for machine in machines if machine.site != "-"]
    lines = [line for line in path.read_text().replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    step = 0
    while step < len(lines):
        # Lines for each node that follow each other are done for one node after another.
        block = [lines[step]]
        while is_of_nodes(block[0]) and step + len(block) < len(lines) and is_of_nodes(lines[step + len(block)]):
            block.append(lines[step + len(block)])
        step += len(block)
        token = ""
        for node in nodes if is_of_nodes(block[0]) else [None]:
            for line in block:
                who, what = line.split(": ", 1)
                machine = node if who == "node" else next(each for each in machines if each.name == who.split()[0])
                token = act(machine, fill(what, node, token)) or token


def is_of_nodes(line: str) -> bool:
    return line.split(":")[0].endswith("node")


def fill(text: str, node: Machine | None, token: str) -> str:
    if node is None:
        return text
    for name, value in {"NAME": node.name, "SITE": node.site, "ADDRESS": node.address, "TOKEN": token}.items():
        text = re.sub(rf"(?<![A-Z_]){name}(?![A-Z_=])", value, text)
    return text


def act(machine: Machine, what: str) -> str | None:
    """One step; gives what a command printed."""
    if what.startswith(IGNORED):
        return None
    if command := re.fullmatch(r"runuser -u cairn -- cairn (.*)", what):
        said = machine.run(shlex.split(command[1]))
        return said if " token " in what else None
    if edit := re.fullmatch(r'edit /etc/cairn/(\w+)\.env: (\w+)="(.*)"', what):
        assert edit[2] in (UNITS / f"{edit[1]}.env").read_text(), f"{edit[1]}.env has no {edit[2]}"
        machine.environment[edit[2]] = edit[3]
        return None
    if start := re.fullmatch(r"systemctl enable --now (\S+)", what):
        short = start[1].removeprefix("cairn-")
        environment = deployment.variables(UNITS / f"{short}.env") | machine.environment
        machine.start(start[1], deployment.service_command(start[1], environment))
        return None
    if see := re.fullmatch(r"see (\S+): (.*)", what):
        machine.see(see[1], see[2])
        return None
    raise AssertionError(f"a step that this test does not know: {what}")


def endpoint(machine: Machine, keys: dict[str, str]) -> Endpoint:
    made = Endpoint(9000, keys["access_key"], keys["secret_key"])
    made.host = machine.address
    return made


def stores_everywhere(endpoints: list[Endpoint]):
    """An object through each gateway, read through another, with a full acknowledgement."""
    clients = [Endpoint.client(each, retries=5) for each in endpoints]
    clients[0].create_bucket(Bucket="archive")
    for number, client in enumerate(clients):
        body = noise(3 * MIB, number)
        put_until(client, f"image-{number}", body, lambda headers: "x-cairn-degraded" not in headers)
        got = clients[number - 1].get_object(Bucket="archive", Key=f"image-{number}")
        assert got["Body"].read() == body


def put_until(client, key: str, body: bytes, is_enough):
    """Writes an object, again and again until one is acknowledged as it should be: a disk may be slow for a moment."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            headers = client.put_object(Bucket="archive", Key=key, Body=body)["ResponseMetadata"]["HTTPHeaders"]
            if is_enough(headers):
                return
            met = headers
        except (BotoCoreError, ClientError) as error:
            met = error
        assert time.monotonic() < deadline, f"{key}: {met}"
        time.sleep(0.2)


# Containers


def test_the_compose_file_makes_a_cluster(machines, fast_folder):
    """Its commands as processes: names of services are addresses, volumes are folders. (The engine is not tested.)"""
    services = deployment.compose()["services"]
    network = deployment.new_network()
    names = {name: f"{network}9.{number + 10}" for number, name in enumerate(services)}
    by_name = {}
    for name in services:
        if name != "init":
            by_name[name] = Machine(fast_folder / "compose", name, "-", names[name], network, names)
            machines.append(by_name[name])
    coordinator = by_name["coordinator"]
    assert services["init"]["volumes"] == services["coordinator"]["volumes"]
    coordinator.run(deployment.compose_command(services["init"], {}))
    coordinator.start("coordinator", deployment.compose_command(services["coordinator"], {}))
    coordinator.see("coordinator", "ready: coordinator")
    data = ["--data", services["coordinator"]["environment"]["CAIRN_DATA"]]
    nodes = [name for name in services if name.startswith("node-")]
    for number, name in enumerate(nodes, 1):
        token = {f"CAIRN_TOKEN_{number}": coordinator.run(["admin", "node", "token", *data])}
        by_name[name].start("node", deployment.compose_command(services[name], token))
        by_name[name].see("node", f"joined: node {name}")
    coordinator.run(["admin", "cluster", "form", *data])
    for name in nodes:
        by_name[name].see("node", "ready: S3")
    keys = (coordinator.folder / "var" / "coordinator" / "credentials").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in keys)
    clients = [endpoint(by_name[name], fields) for name in nodes]
    stores_everywhere(clients)
    # Started again as `docker compose up` does: the token is gone from the environment.
    by_name["node-1"].stop()
    by_name["node-1"].start("node", deployment.compose_command(services["node-1"], {}))
    by_name["node-1"].see("node", "ready: S3")
    # The promise of its head: a site goes, and writes go on.
    by_name["node-3"].kill()
    put_until(clients[0].client(), "late", b"image", lambda headers: True)


def test_every_volume_of_the_compose_file_is_declared():
    file = deployment.compose()
    used = {volume.split(":")[0] for service in file["services"].values() for volume in service["volumes"]}
    assert used == set(file["volumes"])
    ports = [port for service in file["services"].values() for port in service.get("ports", [])]
    assert len(set(ports)) == len(ports) == 3
