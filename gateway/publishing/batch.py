"""Gathers events that go to a stream together, and the requests that wait for them."""

import asyncio
from enum import StrEnum
from time import perf_counter
from typing import Any, Final, Protocol

import structlog
from opentelemetry.trace import SpanContext

from gateway.publishing.errors import CannotStore

__all__ = ["Batch", "Stored", "Waiter"]

log: Any = structlog.get_logger(__name__)

MAX_EVENTS: Final = 256
# A batch holds the server for the time of its script: about 2 µs an event.


class Stored(StrEnum):
    """Where an event is when its request is answered 200."""

    STREAM = "stream"
    SPOOL = "spool"


class Waiter(Protocol):
    """Who wants to know what becomes of an event, and needs no future for it."""

    def settled(self, stored: Stored) -> None:
        """The event is stored."""
        ...

    def failed(self, error: CannotStore) -> None:
        """The event is not stored."""
        ...


class _Settled(asyncio.Future[Stored]):
    """One future for all requests of a batch, since a future per request costs as much again as
    the rest of publishing. A request that is cancelled must not cancel it for the others: it
    gets its CancelledError when the batch is settled.
    """

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002
        return False


class Batch:
    """Holds events of one partition in the order of their arrival."""

    __slots__ = (
        *("_future", "events", "is_settled", "left_at", "opened_at", "origins"),
        *("publish_s", "sequence", "waiters"),
    )

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.sequence = 0
        self.opened_at = perf_counter()
        self.left_at = 0.0
        """When it was first sent to Redis, by `perf_counter`."""
        self.publish_s = 0.0
        """How long Redis took for it; 0 if it did not take it."""
        self.is_settled = False
        self.waiters: list[Waiter] = []
        self.origins: list[SpanContext] | None = None
        """The spans of its deliveries; None where nothing is traced."""
        self._future: asyncio.Future[Stored] | None = None

    @property
    def is_full(self) -> bool:
        """True if the next event belongs into another batch: also once this one has a number."""
        return self.sequence > 0 or len(self.events) >= MAX_EVENTS

    @property
    def has_only_waiters(self) -> bool:
        """Whether nobody waits for it in a task."""
        return len(self.waiters) == len(self.events)

    @property
    def settled(self) -> asyncio.Future[Stored]:
        """What requests wait for that have a task to wait in."""
        if self._future is None:
            self._future = _Settled()
        return self._future

    def settle(self, stored: Stored) -> None:
        """Let the waiting requests answer 200."""
        self.is_settled = True
        if self._future is not None:
            self._future.set_result(stored)
        for waiter in self.waiters:
            try:
                waiter.settled(stored)
            except Exception:  # costs nobody else the answer
                log.exception("a request was not answered")

    def fail(self, error: CannotStore) -> None:
        """Let the waiting requests answer 503."""
        self.is_settled = True
        if self._future is not None:
            self._future.set_exception(error)
        for waiter in self.waiters:
            try:
                waiter.failed(error)
            except Exception:
                log.exception("a request was not answered")
