"""Gathers events that go to a stream together, and the requests that wait for them."""

import asyncio
from enum import StrEnum
from time import perf_counter
from typing import Final

__all__ = ["Batch", "Stored"]

MAX_EVENTS: Final = 256
# A batch holds the server for the time of its script: about 2 µs an event.


class Stored(StrEnum):
    """Where an event is when its request is answered 200."""

    STREAM = "stream"
    SPOOL = "spool"


class _Settled(asyncio.Future[Stored]):
    """One future for all requests of a batch, since a future per request costs as much again as
    the rest of publishing. A request that is cancelled must not cancel it for the others: it
    gets its CancelledError when the batch is settled.
    """

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002
        return False


class Batch:
    """Holds events of one partition in the order of their arrival."""

    __slots__ = ("events", "opened_at", "sequence", "settled")

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.sequence = 0
        self.opened_at = perf_counter()
        self.settled: asyncio.Future[Stored] = _Settled()

    @property
    def is_full(self) -> bool:
        """True if the next event belongs into another batch."""
        return len(self.events) >= MAX_EVENTS

    def settle(self, stored: Stored) -> None:
        """Let the waiting requests answer 200."""
        self.settled.set_result(stored)

    def fail(self, error: Exception) -> None:
        """Let the waiting requests answer 503."""
        self.settled.set_exception(error)
