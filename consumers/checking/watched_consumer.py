"""Stands for a consumer while it is tried, and notes how each call of its handlers went."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from consumers.checking.author_code import Place, line_in_traceback, line_of_function
from consumers.checking.check_report import How
from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import Entry, Event
from consumers.runtime.exceptions import Declined, Reject, Transient
from consumers.runtime.handler_table import BatchHandler, EventHandler, Handler
from consumers.runtime.handlers import name_of
from consumers.runtime.redaction import describe
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.tracebacks import traceback_of
from consumers.runtime.transforms import Result, TransformHandler

__all__ = ["Failure", "RunningCall", "WatchedConsumer"]

_Returned = TypeVar("_Returned")

_DELAYS: Final = 3
"""So many calls may say of an entry that something is away; in production there is no limit."""


class Failure(Struct, frozen=True, kw_only=True):
    """Why a call of a handler failed, and where."""

    how: How
    handler: str
    error: str
    place: Place | None
    traceback: str = ""


class RunningCall(Struct, frozen=True):
    """A call of a handler that has not returned yet."""

    handler: Callable[..., object]
    events: Sequence[Entry]
    since: float


class WatchedConsumer(Consumer):
    """A consumer with the handlers of another one, whose calls end in time and are noted.

    `failures` has for each event, by its id, how it failed last; `untaken` has those at which the
    function `takes` raised, which ends a process in production. A call that takes longer than
    `limit_s` is cancelled, and its entries are given up, as are those that are postponed without an
    end and those with which the process would have ended.
    """

    def __init__(self, own: Consumer, *, limit_s: float) -> None:
        super().__init__(
            group=own.group,
            stream=own.stream,
            output=own.output,
            concurrency=own.concurrency,
            max_attempts=own.max_attempts,
            transient=own.transient,
            lifespan=own.lifespan,
            partition_lifespan=own.partition_lifespan,
        )
        self.failures: dict[str, Failure] = {}
        self.untaken: set[str] = set()
        self.running: dict[int, RunningCall] = {}
        self._own = own
        self._limit_s = limit_s
        self._policy = RetryPolicy.of(own)
        self._delays: dict[str, int] = {}
        self._watched: dict[int, Handler] = {}
        if own.batch_handler is not None:
            self.batch_handler = self._of_batches(own.batch_handler)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Those of the consumer that it stands for."""
        return self._own.patterns

    def handler_of(self, event_type: str) -> Handler | None:
        """The handler of an event type, watched; one object for each."""
        handler = self._own.handler_of(event_type)
        if handler is None or isinstance(handler, BatchHandler):
            return None if handler is None else self.batch_handler
        if id(handler) not in self._watched:
            self._watched[id(handler)] = (
                self._of_events(handler)
                if isinstance(handler, EventHandler)
                else self._of_transforms(handler)
            )
        return self._watched[id(handler)]

    def wants(self, event: Event) -> bool:
        """Whether the consumer that it stands for handles the event; not, if that raises."""
        try:
            return self._own.wants(event)
        except Exception as error:  # noqa: BLE001 - a service's own function may raise anything
            self.untaken.add(event.id)
            self.failures[event.id] = Failure(
                how="raised",
                handler="takes",
                error=describe(error),
                place=line_in_traceback(error),
                traceback=traceback_of(error),
            )
            return False

    def _of_events(self, handler: EventHandler) -> EventHandler:
        async def call(entry: Entry) -> None:
            await self._call(handler.call, entry, (entry,))

        return EventHandler(wraps(handler.call)(call))

    def _of_batches(self, handler: BatchHandler) -> BatchHandler:
        async def call(entries: Sequence[Entry]) -> None:
            await self._call(handler.call, entries, entries)

        return replace(handler, call=wraps(handler.call)(call))

    def _of_transforms(self, handler: TransformHandler) -> TransformHandler:
        async def call(entries: Sequence[Entry]) -> Sequence[Result]:
            results = await self._call(handler.call, entries, entries)
            if len(results) != len(entries):
                return results  # which is the runtime's to refuse
            return [
                self._noted(handler.call, (entry,), result)
                if isinstance(result, Exception)
                else result
                for entry, result in zip(entries, results, strict=True)
            ]

        return replace(handler, call=wraps(handler.call)(call))

    async def _call(
        self,
        handler: Callable[..., Awaitable[_Returned]],
        argument: object,
        entries: Sequence[Entry],
    ) -> _Returned:
        call = RunningCall(handler, entries, time.monotonic())
        self.running[id(call)] = call
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                return await handler(argument)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            told = self._noted(handler, entries, error, is_late=limit.expired())
            if told is error:
                raise
            raise told from error
        finally:
            del self.running[id(call)]

    def _noted(
        self,
        handler: Callable[..., object],
        entries: Sequence[Entry],
        error: BaseException,
        *,
        is_late: bool = False,
    ) -> Exception:
        """Note a failure of these entries; what is to be raised of it."""
        how = self._how(error, is_late=is_late)
        shown = (error.__cause__ or error) if is_late else error
        while (link := shown.__traceback__) and link.tb_frame.f_code.co_filename == __file__:
            shown = shown.with_traceback(link.tb_next)
        failure = Failure(
            how=how,
            handler=name_of(handler),
            error=f"not done after {self._limit_s:g} s" if is_late else describe(error),
            place=line_in_traceback(shown) or line_of_function(handler),
            traceback=traceback_of(shown),
        )
        self.failures.update(dict.fromkeys((one.event.id for one in entries), failure))
        if how in {"hung", "exited"} or self._is_postponed_too_often(how, entries):
            return Reject(failure.error)
        if how == "postponed" or not isinstance(error, Exception):
            return Transient(failure.error)  # without the pause that it may have asked for
        return error

    def _how(self, error: BaseException, *, is_late: bool) -> How:
        if is_late:
            return "hung"
        if isinstance(error, SystemExit):
            return "exited"
        if isinstance(error, (Reject, Declined)):
            return "rejected"
        return "postponed" if self._policy.is_transient(error) else "raised"

    def _is_postponed_too_often(self, how: str, entries: Sequence[Entry]) -> bool:
        if how != "postponed":
            return False
        for one in entries:
            self._delays[one.event.id] = self._delays.get(one.event.id, 0) + 1
        return any(self._delays[one.event.id] >= _DELAYS for one in entries)
