"""A batch: events that go to a stream together, and the requests that wait for it."""

import asyncio
from enum import StrEnum
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
    """Events of one partition in the order of their arrival."""

    __slots__ = ("_settled", "events", "sequence")

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.sequence = 0
        self._settled = _Settled()

    @property
    def is_full(self) -> bool:
        """True if the next event belongs into another batch."""
        return len(self.events) >= MAX_EVENTS

    async def settled(self) -> Stored:
        """Wait until the batch is stored; raises Unavailable if it could not be."""
        return await self._settled

    def settle(self, stored: Stored) -> None:
        """Let the waiting requests answer 200."""
        self._settled.set_result(stored)

    def fail(self, error: Exception) -> None:
        """Let the waiting requests answer 503."""
        self._settled.set_exception(error)
