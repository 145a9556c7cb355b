"""Joins what waits in several partitions into one call of a handler of batches.

For a handler whose call costs something whatever is in it, such as a load into a database: then
what a process spends does not depend on among how many partitions its events are spread. Own is the
call under way, and nothing else: each partition keeps its entries, its lease and its
acknowledgements. docs/decisions/0014-joint-batches.md says what happens when something dies.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from opentelemetry.trace import SpanContext

from consumers.runtime.entry import Entry
from consumers.runtime.handler_table import BatchHandler
from gateway.background import owned
from gateway.ending import end
from gateway.spans import current, within

__all__ = ["JointCalls", "JointMember"]


class JointMember(Protocol):
    """What waits in one partition."""

    @property
    def oldest_at(self) -> float | None:
        """Since when the first entry waits, by the loop's clock; None if none may be handled."""

    def begin(self, most_events: int, most_bytes: int) -> tuple[int, int]:
        """Let a batch within these limits come to `joined`; how many events and bytes it has.

        None may come of it, if an operator does not want what waits to be handled.
        """


class _Part(Struct, eq=False):
    """What one partition brings to a call, the span within which it waits for it, and what it is
    told of the end.
    """

    entries: Sequence[Entry]
    span: SpanContext
    done: asyncio.Future[None]


class JointCalls:
    """Says when the partitions of a process have enough together, and makes one call for them.

    One call is under way at a time. A failure for which no entry is to blame is one of all. After
    any other each partition's entries are handed over once more by themselves, at once, so that
    what is wrong with one counts as an attempt of nobody else.
    """

    def __init__(
        self, handler: BatchHandler, is_transient: Callable[[BaseException], bool]
    ) -> None:
        self._handler = handler
        self._is_transient = is_transient
        self._loop = asyncio.get_running_loop()
        self._members: list[JointMember] = []
        self._count = 0
        self._size_bytes = 0
        self._parts: list[_Part] = []
        self._call: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = float("-inf")

    def admit(self, member: JointMember) -> None:
        """Have the entries of one more partition come along."""
        self._members.append(member)

    def dismiss(self, member: JointMember, *, count: int, size_bytes: int) -> None:
        """Leave a partition out from now on, and what waits there."""
        self._members.remove(member)
        self.went(count, size_bytes)

    def came(self, count: int, size_bytes: int, *, is_first: bool) -> None:
        """Note entries that wait; `is_first` if none did in their partition."""
        was_full = self._is_full
        self._count += count
        self._size_bytes += size_bytes
        # What comes behind others is due after them, and for those the clock is set.
        if (is_first and self._timer is None) or (self._is_full and not was_full):
            self.look()

    def went(self, count: int, size_bytes: int) -> None:
        """Note that so many wait no longer."""
        self._count -= count
        self._size_bytes -= size_bytes

    def pause(self, seconds: float) -> None:
        """Begin nothing for a while: what the handler needs is away."""
        self._paused_until = max(self._paused_until, self._loop.time() + seconds)

    def resume(self) -> None:
        """End a pause: what everything failed of may be out of the way."""
        self._paused_until = float("-inf")
        self.look()

    def look(self) -> None:
        """Begin a call if one is due, else set the clock for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._call is not None:
            return  # it looks when it ends
        ready = sorted(
            (
                (since, number)
                for number, member in enumerate(self._members)
                if (since := member.oldest_at) is not None
            ),
        )
        if not ready:
            return
        due_at = self._paused_until
        if not self._is_full:
            due_at = max(due_at, ready[0][0] + self._handler.max_wait_s)
        if due_at > self._loop.time():
            self._timer = self._loop.call_at(due_at, self.look)
        else:
            self._begin([self._members[number] for _since, number in ready])

    async def joined(self, entries: Sequence[Entry]) -> None:
        """Have these handled in the call that begins; raises what it raised for them.

        When nobody waits for the call any more, because all have been cancelled, it is as well.
        """
        part = _Part(entries, current(), self._loop.create_future())
        self._parts.append(part)
        try:
            await part.done
        except asyncio.CancelledError:
            if part in self._parts and all(one.done.done() for one in self._parts):
                assert self._call is not None  # noqa: S101 - it has parts
                await end(self._call)
            raise

    @property
    def _is_full(self) -> bool:
        handler = self._handler
        return self._count >= handler.max_events or self._size_bytes >= handler.max_bytes

    def _begin(self, members: Sequence[JointMember]) -> None:
        """Let members begin, those first that have waited for longest, as far as there is room."""
        room, room_bytes = self._handler.max_events, self._handler.max_bytes
        for member in members:
            count, size_bytes = member.begin(room, room_bytes)
            room -= count
            room_bytes -= size_bytes
            if room <= 0 or room_bytes <= 0:
                break
        # Tasks take their first steps in the order in which they were made, so that all parts are
        # there when this one takes its own: the loop calls in the order of registration,
        # https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon
        self._call = owned(self._make_call(), name="joint call")

    async def _make_call(self) -> None:
        try:
            if self._parts:
                await self._handle(self._parts)
        except BaseException as error:
            _tell(self._parts, error)
            raise
        finally:
            self._call, self._parts = None, []
        # Behind the members that have just been told: they may wait for the next one already.
        self._loop.call_soon(self.look)

    async def _handle(self, parts: Sequence[_Part]) -> None:
        try:
            with within(part.span for part in parts):
                await self._handler.call([entry for part in parts for entry in part.entries])
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            if len(parts) == 1 or self._is_transient(error):
                _tell(parts, error)
                return
            for part in parts:
                if not part.done.done():
                    await self._handle((part,))
        else:
            _tell(parts, None)


def _tell(parts: Sequence[_Part], error: BaseException | None) -> None:
    """Let those who still wait for a call know how it ended."""
    for part in parts:
        if part.done.done():
            continue
        if error is None:
            part.done.set_result(None)
        else:
            part.done.set_exception(error)
