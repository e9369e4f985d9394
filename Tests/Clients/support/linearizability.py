"""Whether all that clients saw of one key can have happened one after another, each thing between its call and its
answer: Wing and Gong's search, with Lowe's memory of where it has been.

A key is a register that holds a value or nothing. Values are unique, so what is seen says which write it came from.
A write whose outcome nobody knows may happen at any time after its call, or never.
"""

import dataclasses
import math

# What a key holds that has no object.
ABSENT = "absent"
# More places than this are looked at only when there are far too many writes of unknown outcome.
LARGEST_SEARCH = 2_000_000


@dataclasses.dataclass(eq=False)
class Operation:
    """One request about one key, and what its answer says."""

    name: str
    began: float
    # An answer that did not come may be to something that is still to happen.
    ended: float = math.inf
    # What it leaves there: a value, ABSENT, or None when it changes nothing.
    writes: str | None = None
    # What was there when it happened, if it says so.
    requires: str | None = None
    # What was not there when it happened.
    forbids: frozenset = frozenset()
    # False: it may have happened or not.
    is_certain: bool = True

    def fits(self, state: str) -> bool:
        return self.requires in (None, state) and state not in self.forbids

    def __str__(self):
        ended = f"{self.ended:10.4f}" if self.ended < math.inf else "   no end "
        return f"{self.began:10.4f} {ended} {self.name}"


@dataclasses.dataclass
class Violation:
    """Why a history fits no order: the longest beginning that does, and what cannot come next."""

    state: str
    placed: list[Operation]
    next: list[Operation]
    count: int

    def __str__(self):
        return "\n".join([
            f"{len(self.placed)} of {self.count} operations fit an order that ends so:",
            *(f"  {operation}" for operation in self.placed[-15:]),
            f"then the key holds {self.state}, and none of these can come next:",
            *(f"  {operation}" for operation in self.next),
        ])


class SearchTooLarge(RuntimeError):
    """The search was given up: nothing is proved."""


@dataclasses.dataclass
class Place:
    """How far an order has come: which certain operations it holds (a bit each), which uncertain ones, and what the
    key holds then."""

    certain: int = 0
    # All certain operations before this one are in the order.
    first: int = 0
    uncertain: int = 0
    state: str = ABSENT
    # The state is from an uncertain write that nothing has needed yet.
    is_unused: bool = False
    came: tuple["Place", Operation] | None = None

    @property
    def key(self):
        return self.certain, self.uncertain, self.state, self.is_unused

    def order(self) -> list[Operation]:
        found, place = [], self
        while place.came:
            place, operation = place.came
            found.append(operation)
        return found[::-1]


class Search:
    """The search of one key's history for an order."""

    def __init__(self, operations: list[Operation], initial: str, largest: int):
        by_call = sorted(operations, key=lambda operation: operation.began)
        self.certain = [operation for operation in by_call if operation.is_certain]
        # A read without an answer says nothing.
        self.uncertain = [operation for operation in by_call if not operation.is_certain and operation.writes]
        self.all = (1 << len(self.certain)) - 1
        self.initial, self.largest = initial, largest

    def run(self) -> Violation | None:
        open_places = [self.settled(Place(state=self.initial))]
        seen = {open_places[0].key}
        best = open_places[0]
        while open_places:
            place = open_places.pop()
            if place.certain.bit_count() > best.certain.bit_count():
                best = place
            if place.certain == self.all:
                return None
            # What was called first is tried first: it comes last on the stack.
            for following in reversed(self.after(place)):
                if following.key not in seen:
                    seen.add(following.key)
                    open_places.append(following)
            if len(seen) > self.largest:
                raise SearchTooLarge(f"{len(seen)} places and no order of {len(self.certain)} operations, "
                                     f"with {len(self.uncertain)} of unknown outcome")
        return Violation(best.state, best.order(), self.candidates(best)[0], len(self.certain))

    def candidates(self, place: Place) -> tuple[list[Operation], list[int], float]:
        """The certain operations that may come next, as nothing left had ended when they were called; their numbers;
        and when the first of all that are left ended."""
        found, numbers, horizon = [], [], math.inf
        for number in range(place.first, len(self.certain)):
            operation = self.certain[number]
            if operation.began > horizon:
                break
            if not place.certain >> number & 1:
                found.append(operation)
                numbers.append(number)
                horizon = min(horizon, operation.ended)
        return found, numbers, horizon

    def settled(self, place: Place) -> Place:
        """The place after all that can happen at once and changes nothing: it can never be in the way later."""
        is_moving = True
        while is_moving:
            is_moving = False
            for operation, number in zip(*self.candidates(place)[:2]):
                if operation.writes is None and operation.fits(place.state):
                    place = self.with_certain(place, number, place.state)
                    is_moving = True
        return place

    def with_certain(self, place: Place, number: int, state: str) -> Place:
        done = place.certain | 1 << number
        first = place.first
        while done >> first & 1:
            first += 1
        return Place(done, first, place.uncertain, state, False, (place, self.certain[number]))

    def after(self, place: Place) -> list[Place]:
        """Every place that is one write further."""
        found, numbers, horizon = self.candidates(place)
        following = []
        for operation, number in zip(found, numbers):
            # An uncertain write that is overwritten before anything needed it might as well not have happened.
            is_idle = place.is_unused and operation.requires is None
            if operation.writes and operation.fits(place.state) and not is_idle:
                following.append(self.settled(self.with_certain(place, number, operation.writes)))
        for number, operation in enumerate(self.uncertain):
            if operation.began > horizon:
                break
            is_idle = place.is_unused and operation.requires is None
            if not place.uncertain >> number & 1 and operation.fits(place.state) and not is_idle:
                came = (place, operation)
                further = place.uncertain | 1 << number
                further = Place(place.certain, place.first, further, operation.writes, True, came)
                following.append(self.settled(further))
        return following


def violation(operations: list[Operation], initial: str = ABSENT, largest: int = LARGEST_SEARCH) -> Violation | None:
    """Why these operations on one key fit no order; None when they fit one."""
    return Search(operations, initial, largest).run()
