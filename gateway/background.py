"""Runs things in the background, in one way, so that none of them dies unseen.

Four kinds, and no fifth; a test finds every task that is started in another way:

* `Background`: runs for as long as its owner. Its end, if nobody asked for it, is a fault of the
  process.
* `Errands`: tasks that each do one thing and end, of which none waits for another. One that fails
  is a fault of that errand, as a request that fails is.
* `owned`: a task that somebody awaits, who is told its error and has to deal with it.
* `asyncio.TaskGroup`, which is somebody who awaits.

Every fault is logged with its traceback and counted. What it means for the process is up to the
process' main, which calls `watched`: tasks that are started within it, however deep, report to
that watch. Without one (a command that runs for a second, a test) there is the log and the count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import Any, Final, TypeVar

import structlog

from gateway.backoff import Backoff
from gateway.ending import end
from gateway.errors import BackgroundFailed
from gateway.vital_metrics import BACKGROUND_FAILURES

__all__ = ["Background", "Errands", "Watch", "owned", "watched"]

log: Any = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.5
_STEADY_S: Final = 60.0
# Whoever has run for so long, which is longer than any pause, has not failed in a row.
_PATIENCE: Final = 4
# Failures in a row until the process is called unhealthy: seconds, which a hiccup does not last.


class Watch:
    """Knows what became of the background of one process; `stop` is called when it cannot go on."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._running: set[Background] = set()
        self._fallen: list[str] = []

    @property
    def fallen(self) -> tuple[str, ...]:
        """The names of the tasks that ended for good, though nobody had asked for it."""
        return tuple(self._fallen)

    async def why_not_alive(self) -> str | None:
        """None if every background task runs, else which of them do not."""
        failing = sorted(one.name for one in self._running if one.is_failing)
        reasons = [f"{name} has ended" for name in self._fallen]
        return "; ".join([*reasons, *(f"{name} keeps failing" for name in failing)]) or None

    def began(self, one: "Background") -> None:
        """A task has been started."""
        self._running.add(one)

    def ended(self, one: "Background") -> None:
        """A task is no more, whether it should be or not."""
        self._running.discard(one)

    def fell(self, name: str) -> None:
        """A task has ended for good, though nobody had asked for it."""
        self._fallen.append(name)
        self._stop()


_WATCH: Final[ContextVar[Watch | None]] = ContextVar("watch", default=None)


@contextmanager
def watched(stop: Callable[[], None]) -> Iterator[Watch]:
    """Watch over what is started in the background within this context, and in tasks begun in it.

    `stop` is to begin the ordinary end of the process; it is called when a task has fallen, perhaps
    more than once, and also while the process stops already. Raises BackgroundFailed at the end of
    the context, unless it ends by another error, if there was one: exit code 1.
    """
    watch = Watch(stop)
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)
    if watch.fallen:
        raise BackgroundFailed(", ".join(watch.fallen))


class Background:
    """Runs `work` as a task from `start` until its owner ends it, by `close` or by `finish`.

    An error that nobody foresaw, or a return before its owner asked for it, makes the process end,
    since others count on what the task does. Where instead the work `begins_anew`, it is called
    again after a pause that doubles from half a second to `longest_pause_s`: right for work that
    takes up what it finds, in a process that has more to do than to die with it. Then the process
    is unhealthy while the work keeps failing, and healthy a minute after it has ceased to.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        *,
        name: str,
        begins_anew: bool = False,
        longest_pause_s: float = 30.0,
    ) -> None:
        self.name = name
        self._work = work
        self._begins_anew = begins_anew
        self._backoff = Backoff(first_s=_FIRST_PAUSE_S, limit_s=longest_pause_s, jitter=0.0)
        self._watch: Watch | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._failures = 0
        self._began_at = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the work has failed several times in a row, and not gone well since."""
        return self._failures >= _PATIENCE and monotonic() - self._began_at < _STEADY_S

    def start(self) -> None:
        """Begin; once."""
        self._watch = _WATCH.get()
        if self._watch is not None:
            self._watch.began(self)
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def close(self) -> None:
        """Cancel the work where it is, and wait until it has ended. Raises nothing of its errors.

        May be repeated, and called without `start`.
        """
        self._ending.set()
        if self._task is not None:
            await end(self._task)

    async def finish(self, *, within_s: float | None = None) -> None:
        """Wait for the work, which its owner has just told to come to its end.

        It is cancelled after `within_s`, or when this is. Like `close` otherwise.
        """
        self._ending.set()
        if self._task is not None:
            try:
                await asyncio.wait([self._task], timeout=within_s)
            finally:
                await end(self._task)

    async def _run(self) -> None:
        try:
            while not await self._has_ended():
                try:
                    async with asyncio.timeout(self._backoff.delay_s(self._failures)):
                        await self._ending.wait()
                except TimeoutError:
                    continue
                return
        finally:
            if self._watch is not None:
                self._watch.ended(self)

    async def _has_ended(self) -> bool:
        """Do the work; whether that was all, and not to be begun anew."""
        self._began_at = monotonic()
        error: BaseException | None = None
        try:
            await self._work()
        except asyncio.CancelledError as cancelled:
            if _is_cancelled():
                raise
            error = cancelled  # it has leaked from something that the work was waiting for
        except Exception as failure:  # noqa: BLE001 - it is logged with its traceback just below
            error = failure
        is_ending = self._ending.is_set()
        if is_ending and error is None:
            return True
        _tell(self.name, error)
        if self._begins_anew:
            is_steady = monotonic() - self._began_at > _STEADY_S
            self._failures = 1 if is_steady else self._failures + 1
            self._began_at = inf  # until it has
            return is_ending
        if self._watch is not None:
            self._watch.fell(self.name)
        return True


class Errands:
    """Runs tasks that each do one thing and end, in no order; none is begun again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, object], **about: object) -> None:
        """Do this in the background.

        An error that nobody foresaw is counted, and logged with what it was `about`.
        """
        task = asyncio.create_task(self._done(work, about), name=self._name)
        self._tasks.add(task)  # the event loop itself keeps weak references only
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until none is under way; cancelled, it leaves them under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel those under way, and wait until they have ended."""
        await end(*self._tasks)

    async def _done(self, work: Coroutine[Any, Any, object], about: Mapping[str, object]) -> None:
        try:
            await work
        except asyncio.CancelledError as cancelled:
            if _is_cancelled():
                raise
            _tell(self._name, cancelled, about)
        except Exception as error:  # noqa: BLE001 - logged with its traceback
            _tell(self._name, error, about)


def owned(work: Coroutine[Any, Any, T], *, name: str | None = None) -> "asyncio.Task[T]":
    """A task whose owner keeps it, awaits it, and so is told what it returns or raises.

    Nothing here watches it: whoever does not await it wants one of the other kinds.
    """
    return asyncio.create_task(work, name=name)


def _is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs now, rather than what it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _tell(name: str, error: BaseException | None, about: Mapping[str, object] = {}) -> None:
    BACKGROUND_FAILURES.labels(name).inc()
    if error is None:
        log.error("a background task has ended too early", task=name, **about)
    else:
        log.error("a background task has failed", task=name, exc_info=error, **about)
