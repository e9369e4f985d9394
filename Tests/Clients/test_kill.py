"""`kill -9` under load, many times in a row: what was acknowledged is there, byte for byte."""

import os
import random
import time

import pytest

from support.data import KIB, MIB, noise
from support.writers import BUCKET, Writer, verify_all, wait_for_changes, writing

ROUNDS = int(os.environ.get("CAIRN_TEST_KILLS", "50"))
WRITERS = 4

# A folder may hold dead bytes that wait to be reclaimed, and preallocated room; not ever more of them.
GROWTH = 1.5
SLACK = 256 * MIB


@pytest.mark.long
def test_kill_under_load(servers):
    server = servers().start()
    server.client().create_bucket(Bucket=BUCKET)
    writers = [Writer(number) for number in range(WRITERS)]
    sizes, chance = [], random.Random("kill")
    for number in range(ROUNDS):
        with writing(server, writers):
            time.sleep(chance.uniform(0.05, 0.9))
            wait_for_changes(writers, number * WRITERS)
            server.kill()
        server.start()
        # What no version names is not listed either.
        verify_all(server.client(), writers)
        sizes.append(server.size())

    settled, last = max(sizes[: max(1, ROUNDS // 3)]), sizes[-1]
    assert last <= settled * GROWTH + SLACK, f"grew from {settled >> 20} MiB to {last >> 20} MiB over the same keys"
    server.wait_until_whole()
    server.stop()
    server.start()
    verify_all(server.client(), writers)


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
