"""`kill -9` under load, many times in a row: what was acknowledged is there, byte for byte."""

import os
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.data import KIB, MIB, noise, sha256

BUCKET = "archive"
ROUNDS = int(os.environ.get("CAIRN_TEST_KILLS", "50"))
WRITERS = 4
KEYS_PER_WRITER = 10
SIZES = [0, 1, 1 * KIB, 10 * KIB, 100 * KIB, 513 * KIB, 2 * MIB, 5 * MIB]
ABSENT = "absent"

# A folder may hold dead bytes that wait to be reclaimed, and preallocated room; not ever more of them.
GROWTH = 1.5
SLACK = 256 * MIB


class Writer:
    """Writes and deletes keys of its own; knows for each which states it may be in."""

    def __init__(self, number: int):
        self.number = number
        self.random = random.Random(number)
        self.sequence = 0
        self.acknowledged = 0
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
            client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=body)
            client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
            return
        data = noise(self.random.choice(SIZES), f"{self.number}/{self.sequence}")
        self.states[key] = before | {sha256(data)}
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


@pytest.mark.long
def test_kill_under_load(servers):
    server = servers().start()
    server.client().create_bucket(Bucket=BUCKET)
    writers = [Writer(number) for number in range(WRITERS)]
    sizes, chance = [], random.Random("kill")
    for _ in range(ROUNDS):
        is_over = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(server, is_over), daemon=True) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.9))
        server.kill()
        is_over.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs after its server was killed"
        server.start()
        client = server.client()
        for writer in writers:
            writer.verify(client)
        sizes.append(server.size())

    assert sum(writer.acknowledged for writer in writers) > ROUNDS * WRITERS, "hardly anything was written"
    settled, last = max(sizes[: max(1, ROUNDS // 3)]), sizes[-1]
    assert last <= settled * GROWTH + SLACK, f"grew from {settled >> 20} MiB to {last >> 20} MiB over the same keys"
    # What no version names is not kept either.
    listed = [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
              for item in page.get("Contents", [])]
    alive = sorted(key for writer in writers for key, states in writer.states.items() if states != {ABSENT})
    assert listed == alive
    server.wait_until_whole()
    server.stop()
    server.start()
    for writer in writers:
        writer.verify(server.client())


def test_a_plain_stop_keeps_everything(servers):
    server = servers().start()
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    for number in range(20):
        client.put_object(Bucket=BUCKET, Key=str(number), Body=noise(100 * KIB, number))
    for _ in range(3):
        server.stop()
        server.start()
    for number in range(20):
        assert server.client().get_object(Bucket=BUCKET, Key=str(number))["Body"].read() == noise(100 * KIB, number)
