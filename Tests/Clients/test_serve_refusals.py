"""What `cairn serve` says when it is told something that cannot be: one sentence with the name of what is wrong, status
64, and nothing made."""

import fcntl
import socket
import subprocess
import threading

import pytest

from support.server import START_SECONDS, Server, binary, free_port

WRONG_OPTION = 64


def serve(data, *arguments):
    command = [binary(), "serve", "--data", str(data), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)


@pytest.mark.parametrize("arguments", [
    ["--listen", "foo"],
    ["--listen", "127.0.0.1:99999"],
    ["--disks", "0"],
    ["--sites", "4"],
    ["--master-key", "/dev/null/key"],
    ["--tls-certificate", "/dev/null/chain.pem", "--tls-key", "/dev/null/key.pem"],
], ids=lambda arguments: " ".join(arguments[:2]))
def test_a_wrong_option_makes_nothing(folder, arguments):
    result = serve(folder / "data", *arguments)
    assert result.returncode == WRONG_OPTION, result.stderr
    assert arguments[0] in result.stderr or arguments[1] in result.stderr
    assert not (folder / "data").exists()


@pytest.mark.parametrize("access, secret, wrong", [
    ("a,b", "secret-key", "CAIRN_ROOT_ACCESS_KEY"),
    ("a/b", "secret-key", "CAIRN_ROOT_ACCESS_KEY"),
    ("root key", "secret-key", "CAIRN_ROOT_ACCESS_KEY"),
    ("root", "secret\nkey", "CAIRN_ROOT_SECRET_KEY"),
])
def test_root_keys_that_no_request_can_name_are_refused(servers, access, secret, wrong):
    server = servers()
    server.environment_of_process = {"CAIRN_ROOT_ACCESS_KEY": access, "CAIRN_ROOT_SECRET_KEY": secret}
    with pytest.raises(RuntimeError, match=wrong):
        server.start()


def test_users_that_could_not_work_are_refused(servers):
    """Once every request of the first was malformed, and the second broke the lines of `user list`."""
    server = servers().start()
    for arguments in (["pacs", "--access-key", "a,b"], ["two\nlines"], ["pacs", "--display-name", "two\nlines"],
                      ["pacs", "--email", "a\nb"]):
        result = server.admin("user", "add", *arguments, check=False)
        assert result.returncode != 0 and "give" in result.stderr, result
    assert "There are no users" in server.admin("user", "list").stdout


def test_a_file_that_is_no_certificate_is_named(folder):
    file = folder / "chain.pem"
    file.write_text("no certificate")
    result = serve(folder / "data", "--tls-certificate", file, "--tls-key", file)
    assert result.returncode == WRONG_OPTION
    assert f"{file} cannot be read or holds no certificate" in result.stderr


def test_one_folder_by_two_paths_is_refused(folder):
    disks = [folder / f"disk-{number}" for number in range(1, 6)]
    for disk in disks:
        disk.mkdir()
    link = folder / "disk-6"
    link.symlink_to(disks[2])
    result = serve(folder / "data", *(part for disk in [*disks, link] for part in ("--disk", disk)))
    assert result.returncode != 0
    assert f"--disk {disks[2]} and --disk {link} are the same folder" in " ".join(result.stderr.split())
    assert not any(list(disk.iterdir()) for disk in disks)


def test_a_load_with_a_wrong_secret_names_the_keys(servers):
    server = servers().start()
    result = server.run("bench", "put", "--endpoint", server.url, "--access-key", server.access_key,
                        "--secret-key", "wrong", "--size", "16", "--count", 1, "--quiet", check=False)
    assert result.returncode != 0 and "secret" in result.stderr and "key" in result.stderr, result


def test_a_folder_is_waited_for_that_is_about_to_be_free(servers):
    """As one is whose process was killed a moment ago."""
    server = servers()
    server.start().stop()
    with open(server.data / "lock", "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        timer = threading.Timer(0.7, fcntl.lockf, (lock, fcntl.LOCK_UN))
        timer.start()
        server.start()
        timer.join()


def test_a_data_folder_that_cannot_be_is_named(folder):
    file = folder / "data"
    file.write_text("no folder")
    for path in (file, "/proc/none"):
        result = serve(path, "--listen", f"127.0.0.1:{free_port()}")
        assert result.returncode != 0
        assert result.stderr.startswith(f"Error: {path} cannot be made"), result.stderr
        assert "NSCocoa" not in result.stderr


def test_a_key_file_that_rotted_is_named(folder):
    file = folder / "data" / "master.key"
    file.parent.mkdir()
    file.write_bytes(bytes(range(128, 228)))
    result = serve(file.parent, "--listen", f"127.0.0.1:{free_port()}")
    assert result.returncode != 0
    assert f"{file} cannot be read" in result.stderr, result.stderr
    assert "NSCocoa" not in result.stderr


@pytest.mark.parametrize("name", ["credentials", "master.key"])
def test_a_link_to_a_secret_that_leads_nowhere_is_named(folder, name):
    """As of a secret store that is not mounted: once other keys were made in its place."""
    link, target = folder / "data" / name, folder / "secrets" / name
    link.parent.mkdir()
    link.symlink_to(target)
    result = serve(link.parent, "--listen", f"127.0.0.1:{free_port()}")
    assert result.returncode != 0
    assert f"{link} is a link that leads nowhere (to {target})" in result.stderr, result.stderr
    assert link.is_symlink() and not target.parent.exists()


def test_a_port_that_is_taken_is_named(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        result = serve(folder / "data", "--listen", address)
    assert result.returncode != 0
    assert f"--listen {address}: another program listens there" in result.stderr


def test_the_url_of_an_address_of_ipv6_and_another_scheme(folder):
    server = Server(folder / "data").start()
    server.stop()
    # The last --listen counts.
    port = free_port()
    server.arguments = ["--listen", f"[::1]:{port}", "--scheme", "rs-2-1"]
    server.start()
    try:
        assert any(line.startswith(f"ready: S3 on http://[::1]:{port}, ") for line in server.lines), server.lines
        assert "--scheme rs-2-1 is for a new store" in server.log.read_text()
    finally:
        server.stop()


@pytest.mark.parametrize("command", [
    ["salvage", "--disk", "none", "--to", "made"],
    ["metadata", "rebuild", "--data", "made"],
    ["metadata", "rebuild", "--data", "made", "--disk", "none"],
    ["inspect", "disk", "none"],
], ids=" ".join)
def test_recovery_without_disks_makes_nothing(folder, command):
    result = subprocess.run([binary(), *command], cwd=folder, capture_output=True, text=True, timeout=START_SECONDS)
    assert result.returncode != 0
    assert "errno" not in result.stderr
    assert list(folder.iterdir()) == []
