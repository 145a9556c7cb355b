"""Keeps a broken consumer from pouring its stream into the dead letters."""

from collections import deque
from typing import Final

from msgspec import Struct

from gateway.contract import STRUCK

__all__ = ["DeadLetterLimit", "DeadLetterRate"]

# What nobody can read is the fault of whoever wrote it: no consumer is mended for it, and none may
# be stopped by it, however often somebody writes such things. What is struck, an operator wanted.
_NOT_THE_CONSUMERS_FAULT: Final = frozenset({"undecodable", STRUCK})


class DeadLetterLimit(Struct, frozen=True):
    """At most `max_count` dead letters in `window_s` seconds, or `max_share` of what was handled.

    Both have to be exceeded: a busy group may have many dead letters, and a quiet one may see
    its first three entries fail.
    """

    max_count: int = 20
    max_share: float = 0.1
    window_s: float = 600.0


class DeadLetterRate:
    """Counts the dead letters and handled entries of the last window of one process.

    `reason` is that of a dead letter; those that nobody can read (`undecodable`), and those that an
    operator wanted (`struck`), are never counted.
    Dead letters that earlier processes made in the window count as well, so that a supervisor
    that starts a broken consumer again and again does not pour the stream away bit by bit. Those
    that an operator has retried or dropped do not.
    """

    def __init__(self, limit: DeadLetterLimit) -> None:
        self.limit = limit
        self._known_partitions: set[int] = set()
        self._dead: deque[float] = deque()
        self._handled: deque[list[int]] = deque()  # a second, and how many in it
        self._handled_count = 0

    def needs_history(self, partition: int) -> bool:
        """Whether the dead letters that are there already were not counted yet; true once."""
        is_new = partition not in self._known_partitions
        self._known_partitions.add(partition)
        return is_new

    def handled(self, now: float, count: int = 1) -> None:
        """Note entries that were handled; counted by the second."""
        second = int(now)
        if self._handled and self._handled[-1][0] == second:
            self._handled[-1][1] += count
        else:
            self._handled.append([second, count])
            self._forget(now)
        self._handled_count += count

    def buried(self, now: float, reason: str) -> None:
        """Note a dead letter."""
        if reason not in _NOT_THE_CONSUMERS_FAULT:
            self._dead.append(now)

    def allows(self, now: float, reason: str) -> bool:
        """Whether one more dead letter stays within the limit."""
        if reason in _NOT_THE_CONSUMERS_FAULT:
            return True
        self._forget(now)
        count = len(self._dead) + 1
        if count <= self.limit.max_count:
            return True
        return count <= self.limit.max_share * (self._handled_count + count)

    def _forget(self, now: float) -> None:
        oldest = now - self.limit.window_s
        while self._dead and self._dead[0] < oldest:
            self._dead.popleft()
        while self._handled and self._handled[0][0] < oldest:
            self._handled_count -= self._handled.popleft()[1]
