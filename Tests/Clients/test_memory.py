"""Memory under concurrent uploads and downloads, and at rest.

By default 16 transfers of 256 MiB, to fit the time of `make test`; CAIRN_TEST_MEMORY_MIB=1024 runs them at 1 GiB.
Memory per request does not depend on an object's size (DESIGN §4), so the smaller ones test the same promise.
"""

import hashlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.data import MIB, noise
from support.raw import head, read_response
from support.signature import UNSIGNED, Signer, path_of

BUCKET = "archive"
CONCURRENT = 16
SIZE = int(os.environ.get("CAIRN_TEST_MEMORY_MIB", "256")) * MIB
BLOCK = noise(8 * MIB, "memory")

BUSY_LIMIT = 500 * MIB
IDLE_LIMIT = 60 * MIB


def upload(server, key) -> str:
    """A PUT by a plain socket: the client must not need the memory that is measured."""
    signer = Signer(server.access_key, server.secret_key)
    path = path_of(BUCKET, key)
    headers = signer.sign("PUT", path, "", {"host": server.address, "content-length": str(SIZE)}, UNSIGNED)
    digest = hashlib.md5()
    with socket.create_connection((server.host, server.port), timeout=300) as connection:
        connection.sendall(head("PUT", path, headers))
        for _ in range(SIZE // len(BLOCK)):
            digest.update(BLOCK)
            connection.sendall(BLOCK)
        answer = read_response(connection)
    assert answer.status == 200, answer
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    return digest.hexdigest()


def download(server, key) -> str:
    digest = hashlib.md5()
    body = server.client(timeout=300, connections=1).get_object(Bucket=BUCKET, Key=key)["Body"]
    for piece in body.iter_chunks(MIB):
        digest.update(piece)
    return digest.hexdigest()


def idle(server) -> int:
    """The smallest resident size seen within some seconds of rest."""
    smallest = server.memory()["VmRSS"]
    for _ in range(20):
        time.sleep(0.5)
        smallest = min(smallest, server.memory()["VmRSS"])
    return smallest


def test_an_idle_server_is_small(server):
    server.client().list_buckets()
    resident = idle(server)
    assert resident < IDLE_LIMIT, f"{resident / MIB:.0f} MiB"


@pytest.mark.long
def test_memory_under_load(server):
    server.client().create_bucket(Bucket=BUCKET)
    keys = [f"k{number}" for number in range(CONCURRENT)]
    with ThreadPoolExecutor(CONCURRENT) as pool:
        written = list(pool.map(lambda key: upload(server, key), keys))
        after_uploads = server.memory()["VmHWM"]
        read = list(pool.map(lambda key: download(server, key), keys))
    peak = server.memory()["VmHWM"]
    assert read == written
    print(f"peak {peak / MIB:.0f} MiB resident, {after_uploads / MIB:.0f} MiB of it while uploading")
    assert peak < BUSY_LIMIT, f"{peak / MIB:.0f} MiB ({after_uploads / MIB:.0f} MiB while uploading)"
    # It comes back: what a burst needed is not kept for ever.
    resident = idle(server)
    assert resident < BUSY_LIMIT / 2, f"{resident / MIB:.0f} MiB after the load"
