"""The judge of histories: it finds what breaks a promise, and nothing in what keeps it. No store is started here;
`test_linearizable.py` shows a real one to it."""

import json
import random

import pytest

from support.fakes import FakeStore
from support.history import History, RecordingClient
from support.linearizability import ABSENT, Operation, SearchTooLarge, violation

SEEDS = 30
STEPS = 600


# Histories by hand: each line is an operation with the times of its call and its answer.

def put(began, ended, value):
    return Operation(f"put {value}", began, ended, writes=value)


def delete(began, ended):
    return Operation("delete", began, ended, writes=ABSENT)


def read(began, ended, seen):
    return Operation(f"read {seen}", began, ended, requires=seen)


def swap(began, ended, old, new):
    return Operation(f"swap {old} for {new}", began, ended, writes=new, requires=old)


def refused(began, ended, *values):
    return Operation(f"refused: not {values}", began, ended, forbids=frozenset(values))


def unknown(began, value, old=None):
    return Operation(f"maybe {value}", began, writes=value, requires=old, is_certain=False)


RIGHT = {
    "nothing": [],
    "one after another": [put(0, 1, "a"), read(2, 3, "a"), delete(4, 5), read(6, 7, ABSENT)],
    "reads on both sides of a write": [put(0, 1, "a"), put(2, 9, "b"), read(3, 4, "a"), read(5, 6, "b")],
    "writes at once in the other order": [put(0, 9, "a"), put(1, 8, "b"), read(10, 11, "a")],
    "a swap that won and one that lost": [put(0, 1, "a"), swap(2, 5, "a", "b"), refused(3, 6, "a", ABSENT)],
    "swaps that fit one order only": [swap(0, 9, "b", "c"), swap(0, 9, "a", "b"), put(0, 9, "a"), read(10, 11, "c")],
    "an unknown write that happened late": [put(0, 1, "a"), unknown(2, "b"), read(3, 4, "a"), read(5, 6, "b")],
    "an unknown write that never happened": [put(0, 1, "a"), unknown(2, "b"), read(3, 4, "a")],
    "an unknown swap that won": [put(0, 1, "a"), unknown(2, "b", "a"), refused(3, 4, "a", ABSENT), read(5, 6, "b")],
    "an unknown write that only a refusal met": [put(0, 1, "a"), unknown(2, "b"), refused(3, 4, "a"), put(5, 6, "c")],
    "an unknown delete": [put(0, 1, "a"), unknown(2, ABSENT), swap(3, 4, ABSENT, "b"), read(5, 6, "b")],
    "an unknown write between others": [unknown(0, "x"), put(1, 2, "a"), read(3, 4, "x"), put(5, 6, "c")],
}
WRONG = {
    "a stale read": [put(0, 1, "a"), put(2, 3, "b"), read(4, 5, "a")],
    "a read that goes back": [put(0, 1, "a"), put(2, 9, "b"), read(3, 4, "b"), read(5, 6, "a")],
    "a lost write": [put(0, 1, "a"), read(2, 3, ABSENT)],
    "a lost overwrite, seen by a swap": [put(0, 1, "a"), put(2, 3, "b"), swap(4, 5, "a", "c")],
    "a resurrected delete": [put(0, 1, "a"), delete(2, 3), read(4, 5, "a")],
    "a delete that comes back later": [put(0, 1, "a"), delete(2, 3), read(4, 5, ABSENT), read(6, 7, "a")],
    "two swaps that won": [put(0, 1, "a"), swap(2, 9, "a", "b"), swap(3, 8, "a", "c")],
    "two that were first": [swap(0, 9, ABSENT, "a"), swap(0, 9, ABSENT, "b")],
    "a swap refused for nothing": [put(0, 1, "a"), refused(2, 3, "a", ABSENT)],
    "a swap that won and was refused": [put(0, 1, "a"), refused(2, 3, "a"), unknown(2, "b", "a"), read(4, 5, "a")],
    "a value that nobody wrote": [put(0, 1, "a"), read(2, 3, "z")],
    "a value before it was written": [read(0, 1, "a"), put(2, 3, "a")],
    "an unknown write that happened twice": [unknown(0, "x"), read(1, 2, "x"), put(3, 4, "a"), read(5, 6, "x")],
    "an unknown swap against its condition": [put(0, 1, "a"), unknown(2, "c", "b"), read(3, 4, "c")],
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_can_be(name):
    assert violation(RIGHT[name]) is None


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(name):
    found = violation(WRONG[name])
    assert found and found.next, "nothing noticed"
    assert str(found.next[0]) in str(found)
    # Nor can it be with writes around it that nobody heard of, unless they are what the refusal met.
    others = [unknown(0, f"x-{number}") for number in range(8)]
    assert (violation([*others, *WRONG[name]]) is None) == (name == "a swap refused for nothing")


def test_a_search_ends():
    """Forty writes of unknown outcome on one key are judged at once; a search that does not end says so."""
    many = [unknown(0, f"x-{number}") for number in range(40)]
    rounds = [put(2 * number + 1, 2 * number + 2, f"a-{number}") for number in range(100)]
    assert violation([*many, *rounds, read(300, 301, "x-7"), read(302, 303, "x-9")]) is None
    assert violation([*many, *rounds, read(300, 301, "x-7"), read(302, 303, "x-9"), read(304, 305, "x-7")])
    at_once = [swap(0, 100, f"b-{number}", f"c-{number}") for number in range(12)]
    sources = [put(0, 100, f"b-{number}") for number in range(12)]
    with pytest.raises(SearchTooLarge):
        violation([*at_once, *sources, read(101, 102, "nobody's")], largest=1000)


# The same clients that try a real cluster, on a store that keeps its promises or breaks one.

def history_of(seed: int, breaks: str | None) -> History:
    """What some clients see of a store; all in one thread, so that the seed decides it."""
    chance = random.Random(f"{breaks}/{seed}")
    ticks = iter(range(10 ** 9))
    history = History("keys/", clock=lambda: float(next(ticks)))
    store = FakeStore(chance, breaks)
    clients = {"one": store, "two": store}
    users = [RecordingClient(f"client-{number}", "one", clients, "bucket", history, chance, sizes=[20, 100])
             for number in range(4)]
    for _ in range(STEPS):
        chance.choice(users).step()
    return history


def test_a_right_store_passes():
    for seed in range(SEEDS):
        history = history_of(seed, None)
        assert history.problems() == [], seed
        assert min(history.counts[name] for name in ("conditions held", "conditions refused", "unknown writes")) >= 5


@pytest.mark.parametrize("breaks", ["reads", "writes", "deletes", "conditions", "lists", "bytes", "retries"])
def test_a_broken_promise_is_noticed(breaks):
    """Whatever is broken, and each time: a run that passed would be luck."""
    for seed in range(SEEDS):
        assert history_of(seed, breaks).problems(), f"{breaks} broken, seed {seed}, and nothing noticed"


def test_a_history_is_kept_whole(folder):
    history = history_of(1, "writes")
    history.save(folder / "history.json")
    kept = json.loads((folder / "history.json").read_text())
    assert kept["counts"] == history.counts and kept["keys"].keys() == history.operations.keys()
    fields = next(operations for operations in kept["keys"].values() if operations)[0]
    assert {"name", "began", "ended", "writes", "requires", "forbids", "is_certain"} == fields.keys()
