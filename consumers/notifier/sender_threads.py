"""Runs threads that send, which no process waits for when it ends.

Those of an executor are joined at the interpreter's exit, whatever `shutdown` was told: a target
that answers a byte at a time, so that no time-out of a read ever comes, would keep the process.

A thread is kept for the next message: whoever starts one waits until it runs, which takes as long
as the threads that are ahead of it, and the event loop stands still meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, TypeVar

__all__ = ["Threads"]

_Result = TypeVar("_Result")

_REST_S: Final = 5.0
"""How long a thread that has nothing to do is kept."""


class Threads:
    """Runs at most `most` threads of one target at a time.

    `at_rest` is called, in a thread that is about to end, when there is nothing to do for it.
    """

    def __init__(
        self,
        most: int,
        *,
        name: str,
        rest_s: float = _REST_S,
        at_rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._rest_s = rest_s
        self._at_rest = at_rest
        self._free = asyncio.Semaphore(most)
        # Whoever takes a queue out of here, its own thread or the loop, says what it does next.
        self._resting: deque[SimpleQueue[Callable[[], None]]] = deque()

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Do blocking work in a thread, once one is free; raises what it raises.

        Cancelled before one is free, it begins nothing; afterwards the work goes on, and its thread
        is free when it ends.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[_Result] = loop.create_future()

        def settle(value: _Result | None, error: BaseException | None) -> None:
            self._free.release()
            if result.done():  # whoever waited has gone
                return
            if error is None:
                result.set_result(value)  # type: ignore[arg-type]  # what `work` returned
            else:
                result.set_exception(error)

        def begin() -> None:
            value, failed = None, None
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                failed = error
            self._resting.append(jobs)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, value, failed)

        jobs = self._thread()
        jobs.put(partial(copy_context().run, begin))
        return await result

    def _thread(self) -> "SimpleQueue[Callable[[], None]]":
        """The queue of a thread that has nothing to do: the one that worked last, or a new one."""
        try:
            return self._resting.pop()
        except IndexError:
            jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
            Thread(target=self._serve, args=(jobs,), name=self._name, daemon=True).start()
            return jobs

    def _serve(self, jobs: "SimpleQueue[Callable[[], None]]") -> None:
        while True:
            try:
                job = jobs.get(timeout=self._rest_s)
            except Empty:
                try:
                    self._resting.remove(jobs)
                except ValueError:  # the loop has just taken it out, and gives it a job
                    continue
                self._at_rest()
                return
            job()
