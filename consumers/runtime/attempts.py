"""One call of a handler, and what becomes of its entries; the same with and without Redis."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import HeldEntry
from consumers.runtime.exceptions import Declined, Reject
from consumers.runtime.failure_lines import tell_failure
from consumers.runtime.handler_table import EventHandler
from consumers.runtime.handlers import BatchFunction, name_of
from consumers.runtime.metrics import Metrics
from consumers.runtime.redaction import describe
from consumers.runtime.retry_policy import Bury, PostponedEntries, RetryPolicy, Split, TryLater
from consumers.runtime.tracebacks import traceback_of
from consumers.runtime.tracing import Tracing
from consumers.runtime.transforms import Output, Result, TransformHandler, checked

__all__ = ["Attempts", "Settling"]

log = structlog.get_logger()


class Settling(Protocol):
    """Takes the entries that a process is through with."""

    def acknowledge(self, held: Sequence[HeldEntry]) -> None:
        """Take note that these are done; returns before the server knows."""

    def emit(self, done: Sequence[tuple[HeldEntry, Output]]) -> None:
        """Take note that these are done and what they became; returns before the server knows."""

    def failed(
        self, some: Sequence[HeldEntry], *, error: str, is_transient: bool, handler: str
    ) -> None:
        """Take note that an attempt with these has failed, which will be made again."""

    async def bury_held(
        self, held: HeldEntry, *, reason: str, error: str, traceback: str, attempts: int
    ) -> None:
        """Make a dead letter of this one; returns when that is safe."""


class Attempts:
    """Calls handlers, and settles their entries with what takes them then.

    While it `is_crowded`, with entries that wait for their next attempt by a schedule, those that
    fail are given up at once: others could not be read any more.
    """

    def __init__(
        self,
        consumer: Consumer,
        policy: RetryPolicy,
        settling: Settling,
        metrics: Metrics,
        *,
        is_crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._consumer = consumer
        self._policy = policy
        self._settling = settling
        self._metrics = metrics
        self._is_crowded = is_crowded
        self._tracing = Tracing(consumer.group)
        self.ended_at = 0.0

    async def on_event(self, held: HeldEntry) -> TryLater | None:
        """Call the handler of one entry; None when it is settled, else when to try again.

        Raises CancelledError only if this task itself is being cancelled.
        """
        handler = self._consumer.handler_of(held.entry.event.type)
        assert isinstance(handler, EventHandler)  # noqa: S101 - others were not admitted
        started = time.monotonic()
        try:
            if self._tracing.is_on:
                with self._tracing.span((held,)):
                    await handler.call(held.entry)
            else:
                await handler.call(held.entry)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it may raise anything
            _raise_if_this_task_ends(error)
            took_s = self._took_s(started)
            return await self._follow((held,), error, self._verdict((held,), error), took_s=took_s)
        self._settling.acknowledge((held,))
        _count(self._metrics, (held,), took_s=self._took_s(started))
        return None

    async def on_batch(
        self, batch: Sequence[HeldEntry], call: BatchFunction | None = None
    ) -> TryLater | Split | None:
        """Have a batch handled, by `call` or its handler; None when all entries are settled.

        A batch whose attempts are used up shall be tried in halves, down to single entries, so
        that only those become dead letters that fail by themselves.
        """
        handler = self._consumer.batch_handler
        assert handler is not None  # noqa: S101 - entries are collected for one only
        started = time.monotonic()
        try:
            with self._tracing.span(batch):
                await (call or handler.call)([held.entry for held in batch])
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it may raise anything
            _raise_if_this_task_ends(error)
            return await self._follow_batch(batch, error, took_s=self._took_s(started))
        self._settling.acknowledge(batch)
        _count(self._metrics, batch, took_s=self._took_s(started))
        return None

    async def on_transform(
        self, handler: TransformHandler, batch: Sequence[HeldEntry]
    ) -> PostponedEntries | Split | None:
        """Call the handler of gathered entries; None when all of them are settled.

        Whatever follows an entry of the same subject that has to wait, waits as well. A batch
        whose attempts are used up shall be tried in halves, as one of `on_batch`.
        """
        started = time.monotonic()
        try:
            with self._tracing.span(batch):
                results = await handler.call([held.entry for held in batch])
            results = checked(batch, results)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it may raise anything
            _raise_if_this_task_ends(error)
            later = await self._follow_batch(batch, error, took_s=self._took_s(started))
            return PostponedEntries(batch, later.pause_s) if isinstance(later, TryLater) else later
        return await self._follow_results(batch, results, took_s=self._took_s(started))

    async def _follow_results(
        self, batch: Sequence[HeldEntry], results: Sequence[Result], *, took_s: float
    ) -> PostponedEntries | None:
        done: list[tuple[HeldEntry, Output]] = []
        dead: list[tuple[HeldEntry, Exception, Bury]] = []
        late: dict[bool, list[tuple[HeldEntry, Exception, TryLater]]] = {}
        lanes: set[str] = set()
        left = []
        for held, result in zip(batch, results, strict=True):
            if held.lane in lanes:
                left.append(held)
            elif isinstance(result, Output):
                done.append((held, result))
            elif isinstance(verdict := self._verdict((held,), result), Bury):
                dead.append((held, result, verdict))
            else:
                lanes.add(held.lane)
                left.append(held)
                late.setdefault(verdict.is_transient, []).append((held, result, verdict))
        if done:
            self._settling.emit(done)
            _count(self._metrics, [held for held, _output in done], took_s=took_s)
        for held, error, bury in dead:
            await self._follow((held,), error, bury, took_s=took_s)
        for group in late.values():
            _, error, later = max(group, key=lambda one: one[2].pause_s)
            await self._follow([held for held, _, _ in group], error, later, took_s=took_s)
        if not late:
            return None
        return PostponedEntries(
            left, max(one[2].pause_s for group in late.values() for one in group)
        )

    def _took_s(self, started: float) -> float:
        self.ended_at = time.monotonic()
        return self.ended_at - started

    def _verdict(self, batch: Sequence[HeldEntry], error: BaseException) -> TryLater | Bury:
        first = batch[0]
        verdict = self._policy.verdict(
            error,
            failures=first.failures,
            delays=first.delays,
            failing_s=first.failing_s(time.time()),
        )
        if isinstance(verdict, Bury) or verdict.is_transient or self._policy.retries is None:
            return verdict
        return Bury("failed") if self._is_crowded() else verdict

    async def _follow_batch(
        self, batch: Sequence[HeldEntry], error: BaseException, *, took_s: float
    ) -> TryLater | Split | None:
        verdict = self._verdict(batch, error)
        if isinstance(verdict, Bury) and len(batch) > 1:
            self._failed(batch, error, Split(), took_s=took_s)
            return Split()
        return await self._follow(batch, error, verdict, took_s=took_s)

    async def _follow(
        self,
        batch: Sequence[HeldEntry],
        error: BaseException,
        verdict: TryLater | Bury,
        *,
        took_s: float,
    ) -> TryLater | None:
        self._failed(batch, error, verdict, took_s=took_s)
        if isinstance(verdict, Bury):
            (held,) = batch
            await self._settling.bury_held(
                held,
                reason=verdict.reason,
                error=describe(error),
                traceback=traceback_of(error),
                attempts=held.entry.attempt,
            )
            return None
        self._settling.failed(
            batch,
            error=describe(error),
            is_transient=verdict.is_transient,
            handler=self._handler_name(batch[0]),
        )
        for held in batch:
            held.failed(time.time(), is_transient=verdict.is_transient)
        return verdict

    def _failed(
        self,
        batch: Sequence[HeldEntry],
        error: BaseException,
        verdict: TryLater | Bury | Split,
        *,
        took_s: float,
    ) -> None:
        self._metrics.attempt_failed(verdict.outcome)
        is_meant = isinstance(error, (Reject, Declined)) or self._policy.is_transient(error)
        group = self._consumer.group
        tell_failure(group, batch, error, verdict, is_meant=is_meant, took_s=took_s)

    def _handler_name(self, held: HeldEntry) -> str:
        handler = self._consumer.handler_of(held.entry.event.type)
        return name_of(handler.call) if handler is not None else ""


def _raise_if_this_task_ends(error: BaseException) -> None:
    """A handler's own CancelledError is a failure of what it called; this task's is the end."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _count(metrics: Metrics, batch: Sequence[HeldEntry], *, took_s: float) -> None:
    """Note a success, which nothing here may undo: the effect is there."""
    try:
        metrics.handled(batch, took_s=took_s)
    except Exception as error:  # noqa: BLE001 - numbers are worth no second effect
        log.warning("handled entries were not measured", error=describe(error))
