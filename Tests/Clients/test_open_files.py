"""The limit of open files (`ulimit -n`): who connects takes none from the disks."""

import contextlib
import errno
import socket
import time

import pytest

from support.data import noise
from support.server import Server, binary, wait_for

# More than a server of six disks needs, and far fewer than the connections that are made.
LIMIT, TOO_LOW, CONNECTIONS = 512, 128, 700
# Long enough for a server to take what it takes, and to look at its disks.
SETTLING = 15


@pytest.fixture
def limited(folder, monkeypatch):
    """Servers that it makes may have so many files open."""
    def make(limit: int) -> Server:
        wrapper = folder / "limited"
        wrapper.write_text(f'#!/bin/sh\nulimit -n {limit}\nexec "{binary()}" "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setenv("CAIRN_BINARY", str(wrapper))
        return Server(folder / "data")

    return make


def connect(server, stack) -> bool:
    connection = stack.enter_context(socket.socket())
    connection.setblocking(False)
    return connection.connect_ex((server.host, server.port)) in (0, errno.EINPROGRESS)


def test_connections_take_no_files_from_the_disks(limited):
    """Found by hand: past the limit every disk counted as lost, and then the process died."""
    server = limited(LIMIT).start()
    try:
        body = noise(3 << 20, "open files")
        # Its connection is there before the others, and stays.
        client = server.client(connections=1)
        client.create_bucket(Bucket="few")
        with contextlib.ExitStack() as stack:
            assert all(connect(server, stack) for _ in range(CONNECTIONS))
            end = time.monotonic() + SETTLING
            number = 0
            while time.monotonic() < end:
                client.put_object(Bucket="few", Key=f"{number}", Body=body)
                assert client.get_object(Bucket="few", Key=f"{number}")["Body"].read() == body
                number += 1
                # So that a fast disk is not filled.
                time.sleep(0.2)
        assert server.is_alive()
        assert "a disk is lost" not in server.said()
        # A sync that lasts on a busy machine is told, and passes.
        wait_for(lambda: server.admin("status").stdout.count("healthy") == 6)
        assert server.client().get_object(Bucket="few", Key="0")["Body"].read() == body
    finally:
        server.stop()


def test_a_limit_that_is_too_low_is_named_at_the_start(limited):
    server = limited(TOO_LOW)
    with pytest.raises(RuntimeError, match=f"only {TOO_LOW} files may be open at once.*ulimit -n"):
        server.start()
