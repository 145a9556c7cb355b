"""Tries a consumer with events that are legal and that it may not expect, and says what broke.

Its handlers are called by the runtime's own attempts, in the consumer's own contexts, and do what
they do; Redis has no part in it. What a handler is for, nobody here knows: what is found is that it
raises, hangs, blocks the event loop or ends the process.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from uuid_utils import uuid7

from consumers.checking.author_code import Place, line_in_traceback, line_of_function
from consumers.checking.case import Case
from consumers.checking.check_report import CaseResult, CheckReport, Outcome
from consumers.checking.comment_cases import comment_cases
from consumers.checking.entity_cases import entity_cases
from consumers.checking.event_delivery import Delivered, EventDelivery
from consumers.checking.loop_watch import Blocking, LoopWatch
from consumers.checking.other_cases import other_cases
from consumers.checking.watched_consumer import Failure, RunningCall, WatchedConsumer
from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_checks import refuse_idle
from consumers.runtime.entry import Entry, Partition
from consumers.runtime.handlers import name_of
from consumers.runtime.redaction import describe
from consumers.runtime.tracebacks import traceback_of

__all__ = ["cases_of", "check_consumer"]

_LEASE_S: Final = 6.0
"""A loop that stands still for so long loses its partitions, by the default of `lease_s`."""
_SPARE_S: Final = 10.0
# Beyond what its calls may take, for a case to be settled.


def cases_of(consumer: Consumer) -> list[Case]:
    """What the consumer is tried with: that depends on its stream and on the types it handles."""
    return [*comment_cases(consumer.stream), *entity_cases(consumer), *other_cases()]


async def check_consumer(
    consumer: Consumer,
    cases: Sequence[Case] | None = None,
    *,
    timeout_s: float = 10.0,
    on_stuck: Callable[[CheckReport], None] = lambda _report: None,
) -> CheckReport:
    """Try a consumer with the cases, by default all, one after the other, and say what broke.

    At the end all events that were handled come once more, together. A call that takes longer than
    `timeout_s` is cancelled. One that cannot be, since it blocks the loop or resists, is told to
    `on_stuck` after twice that time, in another thread, with the report so far. Raises
    InvalidConsumer for a consumer that can handle nothing.
    """
    refuse_idle(consumer)
    wanted = cases_of(consumer) if cases is None else cases
    check = _Check(consumer, timeout_s, on_stuck)
    await check.run(wanted)
    return check.report()


class _Check:
    """One run over cases."""

    def __init__(
        self, consumer: Consumer, timeout_s: float, on_stuck: Callable[[CheckReport], None]
    ) -> None:
        self._consumer = WatchedConsumer(consumer, limit_s=timeout_s)
        self._timeout_s = timeout_s
        self._on_stuck = on_stuck
        self._watch = LoopWatch(
            self._consumer, stuck_s=2 * timeout_s + 1, on_stuck=self._tell_stuck
        )
        # As ids of entries are: the moment in milliseconds, and rising from case to case.
        self._delivery = EventDelivery(self._consumer, first_id=time.time_ns() // 1_000_000)
        self._results: list[CaseResult] = []
        self._case = Case(name="start", about="the consumer's contexts are entered", events=())

    def report(self) -> CheckReport:
        """What is known now."""
        own = self._consumer
        return CheckReport(group=own.group, stream=own.stream, results=list(self._results))

    async def run(self, cases: Sequence[Case]) -> None:
        """Try the cases in the consumer's contexts, which have `timeout_s` to begin and to end."""
        try:
            with self._watch.watching():
                async with asyncio.timeout(self._timeout_s) as limit, AsyncExitStack() as contexts:
                    await contexts.enter_async_context(self._consumer.lifespan())
                    mine = self._consumer.partition_lifespan(Partition(0, 1))
                    await contexts.enter_async_context(mine)
                    limit.reschedule(None)
                    for case in cases:
                        self._results.append(await self._tried(case))
                    self._results += await self._together(cases)
                    self._case = Case(
                        name="end", about="the consumer's contexts are left", events=()
                    )
                    limit.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
        except Exception as error:  # noqa: BLE001 - a service's own contexts may raise anything
            is_late = limit.expired()
            shown = (error.__cause__ or error) if is_late else error
            self._results.append(
                _broken(
                    self._case,
                    Failure(
                        how="hung" if is_late else "raised",
                        handler="lifespan",
                        error=f"not done after {self._timeout_s:g} s"
                        if is_late
                        else describe(error),
                        place=line_in_traceback(shown),
                        traceback=traceback_of(shown),
                    ),
                )
            )

    async def _together(self, cases: Sequence[Case]) -> list[CaseResult]:
        """The events of all cases that were handled, under new ids, at one time."""
        well = {one.name for one in self._results if one.outcome == "handled"}
        events = [raw for case in cases if case.name in well for raw in case.events]
        if len(well) < 2:
            return []
        about = "all events that were handled so far, at one time"
        return [await self._tried(Case(name="together", about=about, events=_anew(events)))]

    async def _tried(self, case: Case) -> CaseResult:
        self._case = case
        self._consumer.failures.clear()
        entries = self._delivery.entries(case.events, is_replay=case.is_replay)
        if case.is_redelivered:
            entries += [replace(one, deliveries=2) for one in entries]
        most_s = self._timeout_s * self._consumer.max_attempts * len(entries) + _SPARE_S
        try:
            delivered = await self._delivery.deliver(entries, timeout_s=most_s)
        except TimeoutError:
            return _broken(
                case,
                Failure(
                    how="hung", handler="", error=f"not settled after {most_s:g} s", place=None
                ),
            )
        return _with_blocking(self._result(case, entries, delivered), self._watch.taken())

    def _result(self, case: Case, entries: Sequence[Entry], delivered: Delivered) -> CaseResult:
        untaken = self._consumer.untaken
        failed = [one for one in entries if one.event.id in untaken.union(delivered.dead)]
        failures = {one.id: self._failure(one, delivered) for one in failed}
        for entry in sorted(failed, key=lambda one: failures[one.id].how == "rejected"):
            failure = failures[entry.id]
            if failure.how != "rejected":
                return _broken(case, failure, entry.raw)
            return replace(_broken(case, failure, entry.raw), outcome="rejected", traceback="")
        outcome: Outcome = "handled" if delivered.handled else "ignored"
        return CaseResult(name=case.name, about=case.about, outcome=outcome)

    def _failure(self, entry: Entry, delivered: Delivered) -> Failure:
        """How an entry failed; what the runtime refused of a transform, no call has raised."""
        noted = self._consumer.failures.get(entry.event.id)
        if noted is not None:
            return noted
        handler = self._consumer.handler_of(entry.event.type)
        assert handler is not None  # noqa: S101 - what none takes does not fail
        return Failure(
            how="raised",
            handler=name_of(handler.call),
            error=delivered.errors[entry.event.id].splitlines()[-1],
            place=line_of_function(handler.call),
        )

    def _tell_stuck(self, call: RunningCall | None, place: Place | None) -> None:
        """Say, in the watching thread, that something never ends."""
        does = "keeps it" if place else "resists being cancelled"
        failure = Failure(
            how="blocked" if place else "hung",
            handler="lifespan" if call is None else name_of(call.handler),
            error=does
            if call is None
            else f"{does}, for {time.monotonic() - call.since:.0f} s by now",
            place=place or (None if call is None else line_of_function(call.handler)),
        )
        so_far = self.report()
        so_far.results.append(
            _broken(self._case, failure, b"" if call is None else call.events[0].raw)
        )
        self._on_stuck(so_far)


def _broken(case: Case, failure: Failure, event: bytes = b"") -> CaseResult:
    return CaseResult(
        name=case.name,
        about=case.about,
        outcome="broken",
        how=failure.how,
        handler=failure.handler,
        error=failure.error,
        place=failure.place,
        traceback=failure.traceback,
        event=event.decode(),
    )


def _with_blocking(result: CaseResult, blockings: Sequence[Blocking]) -> CaseResult:
    """What a standstill of the loop adds to it."""
    if not blockings:
        return result
    worst = max(blockings, key=lambda one: one.seconds)
    noted = replace(result, blocked_s=worst.seconds, blocked_at=worst.place)
    if worst.seconds < _LEASE_S or result.outcome == "broken":
        return noted
    return replace(
        noted,
        outcome="broken",
        how="blocked",
        handler=worst.place.function if worst.call is None else name_of(worst.call.handler),
        error=f"{worst.seconds:.0f} s; what blocks belongs in asyncio.to_thread",
        place=worst.place,
        event="" if worst.call is None else worst.call.events[0].raw.decode(),
    )


def _anew(events: Sequence[bytes]) -> tuple[bytes, ...]:
    """The same events with ids of their own."""
    read: list[dict[str, Any]] = [msgspec.json.decode(raw) for raw in events]
    return tuple(msgspec.json.encode(one | {"id": str(uuid7())}) for one in read)
