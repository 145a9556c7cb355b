"""Hands gathered entries to handlers: what belongs together in one call, all else side by side.

An entry belongs to a subject (a comment), whose entries keep their order, and to a key (a portal),
whose subjects are handled together. A key that is slow or fails keeps only itself waiting.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

from msgspec import Struct

from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Gate
from consumers.runtime.intervening import Intervening
from consumers.runtime.retry_policy import PostponedEntries, Split, of_halves
from consumers.runtime.transforms import TransformHandler
from gateway.background import owned
from gateway.ending import end

__all__ = ["Gatherings"]


class _Queue(Struct, eq=False):
    """What waits for one key: `waiting` by subject, and `behind` what came while its subject is
    being handled.
    """

    name: tuple[int, str]
    handler: TransformHandler
    waiting: dict[str, list[HeldEntry]] = {}
    behind: dict[str, list[HeldEntry]] = {}
    under_way: set[str] = set()
    batch_count: int = 0
    started_at: float = float("-inf")
    paused_until: float = float("-inf")
    is_failing: bool = False
    timer: asyncio.TimerHandle | None = None

    def due_at(self) -> float | None:
        """When the next batch may start; None if that is up to an entry or to a batch's end."""
        # A key that fails is tried by one batch at a time.
        most = 1 if self.is_failing else self.handler.max_batches
        if not self.waiting or self.batch_count >= most:
            return None
        if len(self.waiting) >= self.handler.max_subjects:
            return self.paused_until
        first = next(iter(self.waiting.values()))[0]
        return max(
            first.arrived_at + self.handler.max_wait_s,
            self.started_at + self.handler.spacing_s,
            self.paused_until,
        )

    def taken(self) -> list[HeldEntry]:
        """Take a batch out: everything that there is of as many subjects as it may have."""
        subjects = list(islice(self.waiting, self.handler.max_subjects))
        self.under_way.update(subjects)
        return [held for subject in subjects for held in self.waiting.pop(subject)]

    def given_back(self, batch: Iterable[HeldEntry], left: Iterable[HeldEntry]) -> None:
        """Put what is left of a batch in front, and behind it what came meanwhile."""
        front: dict[str, list[HeldEntry]] = {}
        for held in left:
            front.setdefault(held.lane, []).append(held)
        for subject in {held.lane: None for held in batch}:
            self.under_way.discard(subject)
            if came := self.behind.pop(subject, None):
                target = front if subject in front else self.waiting
                target.setdefault(subject, []).extend(came)
        if front:
            self.waiting = front | self.waiting

    async def passed(
        self, batch: Sequence[HeldEntry], intervening: Intervening
    ) -> Sequence[HeldEntry]:
        """What of a batch need not wait; the rest takes along what came behind it."""
        passed = await intervening.passed(batch)
        for subject in passed.parked_lanes:
            intervening.parted(self.behind.pop(subject, ()), passed.parked_lanes)
        return passed.held

    def part(self, parted: Callable[[list[HeldEntry]], list[HeldEntry]]) -> None:
        """Keep of what waits what is left of it."""
        for waiting in (self.waiting, self.behind):
            for subject, held in list(waiting.items()):
                waiting[subject] = parted(held)
                if not waiting[subject]:
                    del waiting[subject]


class Gatherings:
    """Collects entries by key and subject, and hands them to `attempt` in batches."""

    def __init__(
        self,
        attempt: Callable[
            [TransformHandler, Sequence[HeldEntry]], Awaitable[PostponedEntries | Split | None]
        ],
        handler_of: Callable[[str], TransformHandler],
        gate: Gate,
        intervening: Intervening | None = None,
    ) -> None:
        self._attempt = attempt
        self._handler_of = handler_of
        self._gate = gate
        self._intervening = intervening
        self._loop = asyncio.get_running_loop()
        self._queues: dict[tuple[int, str], _Queue] = {}
        self._shut_out: dict[tuple[int, str], _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pauses: set[asyncio.TimerHandle] = set()
        self._failure: BaseException | None = None
        gate.on_change(self._let_in)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits or is under way, and nothing is remembered of what was."""
        return not self._queues

    def submit(self, some: Iterable[HeldEntry]) -> None:
        """Take entries; those of one subject in the order in which they are handled."""
        now = self._loop.time()
        for held in some:
            held.arrived_at = now
            self._submit(held)

    def _submit(self, held: HeldEntry) -> None:
        queue = self._queue_of(held)
        subject = held.lane
        if subject in queue.under_way:
            queue.behind.setdefault(subject, []).append(held)
            return
        if (same := queue.waiting.get(subject)) is not None:
            same.append(held)
            return
        queue.waiting[subject] = [held]
        count = len(queue.waiting)
        if count == queue.handler.max_subjects > 1:
            self._look(queue)
        elif count == 1:
            # Not at once: what was read together is submitted together.
            self._look_later(queue, 0.0)

    async def alone(self, held: HeldEntry) -> None:
        """Handle an entry while nothing else runs; the first attempt has ended on return."""
        queue = self._queue_of(held)
        queue.under_way.add(held.lane)
        self._return(queue, (held,), await self._tried(queue, (held,)))

    def sweep(self) -> None:
        """Take out what waits here and has to wait elsewhere from now on."""
        if self._intervening is not None:
            for queue in list(self._queues.values()):
                queue.part(self._intervening.parted)
                self._look(queue)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the handlers under way, once the gate is closed; then cancel what is left.

        Raises what `attempt` raised, which is never a handler's exception.
        """
        for queue in self._queues.values():
            if queue.timer is not None:
                queue.timer.cancel()
        for pause in self._pauses:
            pause.cancel()
        if self._tasks:
            _done, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            await end(*late)
        if self._failure is not None:
            raise self._failure

    def _queue_of(self, held: HeldEntry) -> _Queue:
        event = held.entry.event
        handler = self._handler_of(event.type)
        name = (id(handler), handler.key(event))
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(name, handler)
        return queue

    def _look(self, queue: _Queue) -> None:
        """Start what is due of a queue, and set its clock for the rest."""
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        while (due_at := queue.due_at()) is not None:
            rest_s = due_at - self._loop.time()
            if rest_s > 0:
                self._look_later(queue, rest_s)
                return
            if not self._gate.admits(len(self._tasks)):
                self._shut_out[queue.name] = queue
                return
            self._start(queue)
        if not queue.waiting and not queue.under_way:
            rest_s = queue.started_at + queue.handler.spacing_s - self._loop.time()
            if rest_s > 0:
                self._look_later(queue, rest_s)  # until then, it remembers when it began
            else:
                del self._queues[queue.name]

    def _look_later(self, queue: _Queue, rest_s: float) -> None:
        if queue.timer is not None:
            queue.timer.cancel()
        queue.timer = self._loop.call_later(rest_s, self._look, queue)

    def _let_in(self) -> None:
        """Look again at the queues that the gate did not let in."""
        shut_out, self._shut_out = self._shut_out, {}
        for queue in shut_out.values():
            if self._queues.get(queue.name) is queue:
                self._look(queue)

    def _start(self, queue: _Queue) -> None:
        batch = queue.taken()
        queue.batch_count += 1
        queue.started_at = self._loop.time()
        task = owned(self._handle(queue, batch))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._gate.close()
        elif self._shut_out:
            self._let_in()

    async def _handle(self, queue: _Queue, batch: Sequence[HeldEntry]) -> None:
        postponed = await self._tried(queue, batch)
        queue.batch_count -= 1
        self._return(queue, batch, postponed)

    def _return(
        self, queue: _Queue, batch: Sequence[HeldEntry], postponed: PostponedEntries | None
    ) -> None:
        """Note what became of a batch, and go on with its queue.

        Where some of it is settled, what is left waits by itself: its key works.
        """
        left = postponed.held if postponed is not None else ()
        late = {held.lane for held in left}
        settled = [held for held in batch if held.lane not in late]
        if postponed is not None and settled:
            queue.is_failing = False
            queue.given_back(settled, ())
            self._wait(queue, left, postponed.pause_s)
        else:
            queue.is_failing = postponed is not None
            queue.given_back(batch, left)
            if postponed is not None:
                queue.paused_until = self._loop.time() + postponed.pause_s
        self._look(queue)

    def _wait(self, queue: _Queue, left: Sequence[HeldEntry], pause_s: float) -> None:
        """Let the subjects of these be under way until their pause is over."""

        def over() -> None:
            self._pauses.discard(pause)
            queue.given_back(left, left)
            self._look(queue)

        pause = self._loop.call_later(pause_s, over)
        self._pauses.add(pause)

    async def _tried(self, queue: _Queue, batch: Sequence[HeldEntry]) -> PostponedEntries | None:
        """Try what of a batch an operator does not want to wait."""
        if self._intervening is not None and self._intervening.is_on:
            batch = await queue.passed(batch, self._intervening)
        return await self._settled(queue.handler, batch) if batch else None

    async def _settled(
        self, handler: TransformHandler, batch: Sequence[HeldEntry]
    ) -> PostponedEntries | None:
        """Try a batch, in halves where that helps; what has to wait, if anything."""
        if not self._gate.admits(0):
            return PostponedEntries(batch, 0.0)
        outcome = await self._attempt(handler, batch)
        if not isinstance(outcome, Split):
            return outcome
        middle = len(batch) // 2
        first = await self._settled(handler, batch[:middle])
        # Behind an entry that has to wait, those of its subject have to wait as well.
        late = {held.lane for held in first.held} if first else set()
        rest = [held for held in batch[middle:] if held.lane not in late]
        second = await self._settled(handler, rest) if rest else None
        return of_halves(batch, first, second)
