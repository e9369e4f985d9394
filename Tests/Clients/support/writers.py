"""Clients that write until their server is taken from them, and know what must be found afterwards."""

import contextlib
import functools
import random
import time

from botocore.exceptions import BotoCoreError, ClientError

from support.background import running
from support.data import KIB, MIB, noise, sha256

BUCKET = "archive"
KEYS_PER_WRITER = 10
SIZES = [0, 1, 1 * KIB, 10 * KIB, 100 * KIB, 513 * KIB, 2 * MIB, 5 * MIB]
ABSENT = "absent"
# A client without its server gives up well within this time.
JOIN_SECONDS = 120
# Changes are acknowledged within this time, however slow the disks.
CHANGES_SECONDS = 300


class Writer:
    """Writes and deletes keys of its own; knows for each which states it may be in."""

    def __init__(self, number: int):
        self.number = number
        self.random = random.Random(number)
        self.sequence = 0
        self.acknowledged = 0
        # Bytes that were put, acknowledged or not.
        self.written = 0
        # One state when the last change was acknowledged; two or more when a change was cut off.
        self.states = {f"w{number}/{key}": {ABSENT} for key in range(KEYS_PER_WRITER)}

    def run(self, server, is_over):
        client = server.client(timeout=10, connections=1)
        while not is_over.is_set():
            key = self.random.choice(sorted(self.states))
            self.sequence += 1
            try:
                self.change(client, key)
                self.acknowledged += 1
            except (BotoCoreError, ClientError):
                pass  # Cut off: it may have happened or not.

    def change(self, client, key):
        kind = self.random.random()
        before = self.states[key]
        if kind < 0.15:
            self.states[key] = before | {ABSENT}
            client.delete_object(Bucket=BUCKET, Key=key)
            self.states[key] = {ABSENT}
            return
        if kind < 0.2:
            # An upload that is aborted, or left as it is when the server is killed.
            upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            body = noise(MIB, self.sequence)
            self.written += len(body)
            client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=body)
            client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
            return
        data = noise(self.random.choice(SIZES), f"{self.number}/{self.sequence}")
        self.states[key] = before | {sha256(data)}
        self.written += len(data)
        client.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.states[key] = {sha256(data)}

    def verify(self, client):
        for key, allowed in self.states.items():
            try:
                found = sha256(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                found = ABSENT
            assert found in allowed, f"{key}: {found[:12]} is none of {sorted(state[:12] for state in allowed)}"
            # What was seen once stays.
            self.states[key] = {found}


def acknowledged(writers: list[Writer]) -> int:
    return sum(writer.acknowledged for writer in writers)


def wait_for_changes(writers: list[Writer], count: int):
    """Until so many changes are acknowledged in all: what interrupts hardly any work proves little."""
    deadline = time.monotonic() + CHANGES_SECONDS
    while acknowledged(writers) < count:
        assert time.monotonic() < deadline, f"only {acknowledged(writers)} of {count} changes are acknowledged"
        time.sleep(0.01)


@contextlib.contextmanager
def writing(server, writers: list[Writer]):
    """All write while the body runs, which ends with the server killed."""
    with running([functools.partial(writer.run, server) for writer in writers], JOIN_SECONDS):
        yield


def verify_all(client, writers: list[Writer]):
    """Every key holds what it may, and the bucket lists those that hold anything, and nothing else."""
    for writer in writers:
        writer.verify(client)
    listed = [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
              for item in page.get("Contents", [])]
    assert listed == sorted(key for writer in writers for key, states in writer.states.items() if states != {ABSENT})
