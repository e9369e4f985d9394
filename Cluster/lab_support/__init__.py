"""A multi-node Cairn on one machine, each process in a network namespace of its own. `Lab` is all that tests need."""

from .errors import CannotTest, LabError
from .hosts import Host
from .laboratory import Lab

__all__ = ["CannotTest", "Host", "Lab", "LabError"]
