"""A server that is told to stop ends what is in progress, and then itself; also when a disk hangs: what waits for the
disk would never end."""

import signal
import socket

import pytest

from support.data import MIB, noise, sha256
from support.faults import CHANGES, DELAY, Faults
from support.raw import TIMEOUT, head, read_response
from support.server import CUT_OFF, STOP_SECONDS, Server, wait_for
from support.signature import UNSIGNED, Signer, path_of

BUCKET = "archive"
# The server's clock runs so many times faster.
SPEED = 10
# Seconds that the disk hangs: longer than a stop may take.
HANG = 600
# Of the server's 75, and some to be slow in.
HUNG_STOP_SECONDS = 75 / SPEED + 30


@pytest.fixture
def faults(folder):
    return Faults(folder / "data", folder / "control", SPEED)


@pytest.fixture
def server(folder, faults):
    server = Server(folder / "data", environment=faults.environment()).start()
    try:
        yield server
    finally:
        server.kill()


def test_a_stop_ends_though_a_disk_hangs(server, faults):
    client = server.client(timeout=60)
    client.create_bucket(Bucket=BUCKET)
    faults.arm(1, DELAY, kinds=CHANGES, match="disk-1/", delay=HANG)
    digests = {}
    for number in range(3):
        data = bytes([number]) * 3_000_000
        client.put_object(Bucket=BUCKET, Key=str(number), Body=data)
        digests[str(number)] = sha256(data)
    assert faults.is_hit, "nothing hangs"

    server.process.terminate()
    status = server.process.wait(HUNG_STOP_SECONDS)
    assert status == 1, server.tail()
    assert "the stop takes too long, as when a disk hangs" in server.log.read_text(), server.tail()

    # As after any other end: what was acknowledged is there.
    server.kill()
    faults.disarm()
    server.start()
    for key, digest in digests.items():
        assert sha256(server.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()) == digest, key
    server.stop()


def is_refused(server) -> bool:
    try:
        socket.create_connection((server.host, server.port), timeout=TIMEOUT).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_a_stop_lets_a_request_in_progress_end(servers):
    server = servers().start()
    server.client().create_bucket(Bucket=BUCKET)
    body, path = noise(2 * MIB, "half"), path_of(BUCKET, "k")
    headers = {"host": server.address, "content-length": str(len(body)), "expect": "100-continue"}
    signed = Signer(server.access_key, server.secret_key).sign("PUT", path, "", headers, UNSIGNED)
    with socket.create_connection((server.host, server.port), timeout=TIMEOUT) as connection:
        connection.sendall(head("PUT", path, signed))
        # It reads the body: the request has begun.
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body[:MIB])
        server.process.send_signal(signal.SIGTERM)
        # The stop has begun; new connections are not taken any more.
        wait_for(lambda: is_refused(server))
        assert server.is_alive(), server.tail()
        connection.sendall(body[MIB:])
        answer = read_response(connection)
        assert answer.status == 200, answer
    assert server.process.wait(STOP_SECONDS) == 0, server.tail()
    assert CUT_OFF not in server.said(), server.tail()
    server.kill()
    kept = server.start().client().get_object(Bucket=BUCKET, Key="k")["Body"].read()
    assert sha256(kept) == sha256(body)
