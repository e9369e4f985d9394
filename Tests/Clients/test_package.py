"""The Debian package: that it holds what it should, that the program in it needs no toolchain, and that installing it
starts nothing and removing it keeps the data. $CAIRN_PACKAGE, else it is made here from $CAIRN_BINARY."""

import os
import pathlib
import re
import shutil
import subprocess
import warnings

import pytest

from support.deployment import ROOT
from support.server import binary

FILES = {
    "usr/bin/cairn", "usr/lib/cairn/libswiftCore.so", "usr/share/man/man1/cairn.1.gz", "usr/share/doc/cairn/copyright",
    "lib/systemd/system/cairn-serve.service", "lib/systemd/system/cairn-coordinator.service",
    "lib/systemd/system/cairn-node.service", "lib/systemd/system/cairn-.service.d/10-common.conf",
    "usr/lib/sysusers.d/cairn.conf", "usr/lib/tmpfiles.d/cairn.conf",
    "etc/cairn/serve.env", "etc/cairn/coordinator.env", "etc/cairn/node.env",
    "usr/share/doc/cairn/Docs/Operations.md", "usr/share/doc/cairn/Docs/DisasterRecovery.md",
    "usr/share/doc/cairn/Cluster/samples/three-sites/steps", "usr/share/doc/cairn/Cluster/compose/compose.yaml",
}
# Packing and unpacking a hundred megabytes and more ends within this time on any disk.
COMMAND_SECONDS = 1800
# Run as root of a copy of this system that is thrown away. The toolchain is hidden.
TRIAL = """
set -eu
mount -t tmpfs cairn-test "$1"; cd "$1"; mkdir up work root
mount -t overlay cairn-test -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" root
mount -t proc proc root/proc; mount --rbind /dev root/dev; mount -t tmpfs run root/run
cp "$2" root/run/cairn.deb
[ -z "$3" ] || mount -t tmpfs toolchain "root$3"
exec chroot root /bin/sh -eu -c '
    PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
    dpkg --no-triggers --force-unsafe-io -i /run/cairn.deb
    echo "owner: $(stat -c %U:%a /var/lib/cairn) $(stat -c %U:%a /srv/cairn)"
    echo "enabled: $(find /etc/systemd/system -name "cairn*" | wc -l)"
    setpriv --reuid cairn --regid cairn --clear-groups /usr/bin/cairn cluster init --data /var/lib/cairn/coordinator
    echo "libraries: $(ldd /usr/bin/cairn | grep -c "/lib/cairn/")"
    echo "strange: $(ldd /usr/bin/cairn | grep -c -e "not found" -e "/swift/linux/" || true)"
    dpkg --no-triggers --force-unsafe-io -i /run/cairn.deb
    dpkg --no-triggers -r cairn
    echo "conffiles: $(ls /etc/cairn | wc -l)"
    dpkg --no-triggers -P cairn
    echo "left: $(ls /etc/cairn /usr/lib/cairn /usr/bin/cairn 2>/dev/null | wc -l)"
    echo "kept: $(ls /var/lib/cairn/coordinator/master.key)"
'
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> pathlib.Path:
    if given := os.environ.get("CAIRN_PACKAGE"):
        return pathlib.Path(given).resolve()
    folder = tmp_path_factory.mktemp("package")
    run(str(ROOT / "Scripts" / "package" / "deb"), binary(), str(folder), str(ROOT / ".build" / "checkouts"),
        env={**os.environ, "COMPRESSION": "none"})
    return folder / "cairn.deb"


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tree")
    run("dpkg-deb", "--raw-extract", str(package), str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(*command: str, **options) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def program_files(tree) -> list[pathlib.Path]:
    return [tree / "usr/bin/cairn", *(tree / "usr/lib/cairn").glob("*.so")]


def test_it_holds_what_it_should(package, tree):
    assert {name for name in FILES if not (tree / name).is_file()} == set()
    for line in run("dpkg-deb", "--contents", str(package)).splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and mode[8] != "w" and "s" not in mode[:10].lower(), line
    conffiles = (tree / "DEBIAN/conffiles").read_text().splitlines()
    assert conffiles == sorted(f"/{path.relative_to(tree)}" for path in (tree / "etc").rglob("*") if path.is_file())
    for name in conffiles:
        assert (tree / name[1:]).stat().st_mode & 0o007 == 0, f"{name} may hold keys"


def test_scripts_start_nothing(tree):
    for name in ("postinst", "prerm", "postrm"):
        run("sh", "-n", str(tree / "DEBIAN" / name))
        text = (tree / "DEBIAN" / name).read_text()
        acts = [line for line in text.splitlines() if "echo" not in line]
        assert not re.search(r"\b(enable|start|restart|rm -r)\b", "\n".join(acts)), name


def test_the_program_finds_its_own_libraries_alone(tree):
    for path in program_files(tree):
        found = re.findall(r"R(?:UN)?PATH\).*\[(.*)\]", run("readelf", "-d", str(path)))
        assert found in (["$ORIGIN/../lib/cairn"], ["$ORIGIN"], []), f"{path.name} looks for libraries in {found}"
    assert "USAGE: cairn" in run(str(tree / "usr/bin/cairn"), "--help", env={})
    for line in run("ldd", str(tree / "usr/bin/cairn")).splitlines():
        assert "not found" not in line and "/swift/linux/" not in line, line


def test_it_depends_on_what_the_program_needs(tree):
    own = {path.name for path in program_files(tree)}
    needed = {name for path in program_files(tree)
              for name in re.findall(r"NEEDED\).*\[(.*)\]", run("readelf", "-d", str(path)))} - own
    control = (tree / "DEBIAN/control").read_text()
    depends = set(re.findall(r"[\w.+-]+", re.sub(r"\(.*?\)", "", re.search(r"^Depends: (.*)$", control, re.M)[1])))
    assert needed, "no library is needed, which cannot be"
    for name in needed:
        packages = {line.split(":")[0] for line in run("dpkg", "-S", f"*/{name}").splitlines()}
        assert packages & depends, f"{name} is in {packages}, of which the package depends on none"


def test_the_manual_has_every_command(tree):
    text = run("gzip", "-dc", str(tree / "usr/share/man/man1/cairn.1.gz"))
    for command in ("SERVE", "COORDINATOR", "NODE", "ADMIN DISK REPLACE", "CLUSTER INIT", "METADATA REBUILD"):
        assert f'.SH "CAIRN {command}"' in text


def test_it_is_installed_and_removed(package, folder):
    toolchain = next((line.split()[2] for line in run("ldd", binary()).splitlines() if "/swift/linux/" in line), "")
    hidden = toolchain.partition("/usr/lib/swift")[0]
    lacks = "root" if os.geteuid() != 0 else "systemd-sysusers" if not shutil.which("systemd-sysusers") else ""
    result = None
    if not lacks:
        result = subprocess.run(["unshare", "--mount", "bash", "-c", TRIAL, "trial", str(folder), str(package), hidden],
                                capture_output=True, text=True, timeout=COMMAND_SECONDS)
        lacks = "overlay mounts" if result.returncode != 0 and "mount: " in result.stderr else ""
    if lacks:
        reason = f"NOT TESTED, installing and removing the package: this machine lacks {lacks}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    assert result.returncode == 0, result.stdout + result.stderr
    said = dict(line.split(": ", 1) for line in result.stdout.splitlines() if re.match(r"[a-z]+: ", line))
    assert said["owner"] == "cairn:750 root:755"
    assert (said["enabled"], said["strange"], said["conffiles"], said["left"]) == ("0", "0", "3", "0")
    assert int(said["libraries"]) >= 1 and "master.key" in said["kept"]
