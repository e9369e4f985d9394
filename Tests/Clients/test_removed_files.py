"""Files of the data folder that go, or are something else, beneath a running server or before a start: it says which
and what to do."""

import os
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.server import START_SECONDS, binary, free_port, wait_for

BUCKET = "archive"
# A store that has stopped ends within a second; its disks are closed then.
END_SECONDS = 60


@pytest.fixture
def filled(server):
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    for number in range(20):
        client.put_object(Bucket=BUCKET, Key=f"key-{number}", Body=b"x" * 1000)
    return server


def read(server):
    try:
        server.client().list_objects_v2(Bucket=BUCKET)
    except (ClientError, BotoCoreError) as error:
        return error
    return None


def readiness(server):
    """200 or 503, or None once nobody answers."""
    try:
        return urllib.request.urlopen(f"{server.url}/-/ready", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def serve(data) -> subprocess.CompletedProcess:
    """A start that must end by itself."""
    command = [binary(), "serve", "--data", str(data), "--listen", f"127.0.0.1:{free_port()}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)


def test_an_emptied_database_stops_the_server(filled):
    """Once changes went on and all reads failed, for as long as nobody looked; `/-/ready` said 200."""
    for name in ("metadata.sqlite", "metadata.sqlite-wal"):
        os.truncate(filled.data / "metadata" / name, 0)
    assert read(filled) is not None
    assert readiness(filled) in (503, None)
    status = filled.process.wait(END_SECONDS)
    assert status not in (0, None)
    lines = [line for line in filled.said().splitlines() if "the store has stopped" in line]
    assert lines and all("cairn metadata rebuild" in line for line in lines), filled.tail()
    filled.kill()
    # What was acknowledged is in the journal.
    metadata = filled.data / "metadata"
    metadata.rename(filled.data / "aside")
    filled.run("metadata", "rebuild", "--data", filled.data)
    filled.start()
    assert filled.client().list_objects_v2(Bucket=BUCKET)["KeyCount"] == 20


def test_a_removed_database_is_told(filled):
    for file in (filled.data / "metadata").iterdir():
        file.unlink()
    wait_for(lambda: "the metadata database was removed" in filled.said(), END_SECONDS)
    assert "removed or replaced" in filled.status()["metadataDamage"]
    assert "removed or replaced" in " ".join(filled.admin("doctor", check=False).stdout.split())
    # It still has it open.
    filled.client().put_object(Bucket=BUCKET, Key="late", Body=b"late")
    assert read(filled) is None
    assert filled.said().count("the metadata database was removed") == 1


def test_a_removed_admin_socket_is_made_again(server):
    (server.data / "admin.sock").unlink()
    wait_for(lambda: server.admin("status", check=False).returncode == 0, END_SECONDS)
    assert "the admin socket was removed and is made again" in server.said()


def test_a_folder_at_the_admin_socket_is_told_before_ready(folder):
    (folder / "data" / "admin.sock").mkdir(parents=True)
    result = serve(folder / "data")
    assert result.returncode == 1 and "ready:" not in result.stdout, result
    assert "data/admin.sock is not a socket" in result.stderr


WRONG = {
    "a folder": lambda path: (path / "inside").mkdir(parents=True),
    "a link": lambda path: path.symlink_to("/nowhere"),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("name, kind", [
    ("lock", "a folder"), ("lock", "a link"), ("lock", "a pipe"), ("founded", "a link"), ("forced", "a folder"),
])
def test_a_small_file_that_is_something_else_is_named(server, name, kind):
    """Once: `Error: openat lock: invalid (errno 22)`."""
    server.stop()
    path = server.data / name
    path.unlink(missing_ok=True)
    WRONG[kind](path)
    result = serve(server.data)
    assert result.returncode == 1 and "ready:" not in result.stdout, result
    assert f"{path} cannot be used" in result.stderr and "move it away" in result.stderr
