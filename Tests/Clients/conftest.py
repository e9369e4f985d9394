"""Fixtures of all client tests. See Docs/Testing.md."""

import os
import pathlib
import shutil
import signal
import sys
import tempfile
import urllib.parse
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import points  # noqa: E402
from support.server import ACCESS_KEY, SECRET_KEY, Endpoint, Server  # noqa: E402


# Memory keeps what a killed process wrote just as a disk does, and is faster.
MEMORY = pathlib.Path("/dev/shm")


def pytest_configure(config):
    """A run that is told to end (by a time limit, by a build machine) ends as on Ctrl-C: fixtures stop their servers,
    unmount their disks and take their namespaces away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    """What was counted is part of the result, also of a test that passed."""
    if points.REPORT:
        terminalreporter.section("crash points, power cuts, cluster")
        for line in points.REPORT:
            terminalreporter.write_line(line)


@pytest.fixture
def folder(tmp_path):
    """A scratch folder, removed when the test passes or fails."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="module")
def fast_folder(tmp_path_factory):
    """A scratch folder in memory where there is one, of a whole file of tests."""
    is_there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    place = MEMORY if is_there else tmp_path_factory.mktemp("fast")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-test-", dir=place))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """The server that most tests share: six disks, rs-4-2, started once. With $CAIRN_TEST_ENDPOINT those tests run
    against another S3 server instead (http://ACCESS:SECRET@127.0.0.1:PORT), to see what it answers."""
    other = urllib.parse.urlsplit(os.environ.get("CAIRN_TEST_ENDPOINT", ""))
    if other.port:
        yield Endpoint(other.port, other.username or ACCESS_KEY, other.password or SECRET_KEY)
        return
    root = tmp_path_factory.mktemp("shared")
    server = Server(root / "data").start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def servers(folder):
    """Makes servers of the test's own: `servers(*arguments)` gives one that is not started yet. What still runs at the
    end is stopped, and one that does not stop fails the test. Their folder outlives them, for the logs in it."""
    made = []

    def make(*arguments, data=None) -> Server:
        server = Server(data or folder / f"data-{len(made)}", arguments)
        made.append(server)
        return server

    try:
        yield make
        for server in made:
            server.stop()
    finally:
        for server in made:
            server.kill()


@pytest.fixture
def server(servers):
    """A started server of the test's own."""
    return servers().start()


@pytest.fixture
def s3(endpoint):
    return endpoint.client()


@pytest.fixture
def bucket(endpoint):
    """A bucket of the test's own on the shared server, emptied and removed afterwards."""
    client = endpoint.client()
    name = f"test-{uuid.uuid4().hex[:16]}"
    client.create_bucket(Bucket=name)
    yield name
    empty(client, name)
    client.delete_bucket(Bucket=name)


def empty(client, bucket):
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            failed = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
            assert not failed, failed
