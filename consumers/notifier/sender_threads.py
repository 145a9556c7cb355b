"""Runs threads that send, which no process waits for when it ends.

Those of an executor are joined at the interpreter's exit, whatever `shutdown` was told: a target
that answers a byte at a time, so that no time-out of a read ever comes, would keep the process.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

__all__ = ["Threads"]

_Result = TypeVar("_Result")


class Threads:
    """Runs at most `most` threads of one target at a time."""

    def __init__(self, most: int, *, name: str) -> None:
        self._name = name
        self._free = asyncio.Semaphore(most)

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
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, value, failed)

        Thread(target=copy_context().run, args=(begin,), name=self._name, daemon=True).start()
        return await result
