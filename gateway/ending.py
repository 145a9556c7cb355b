"""Ends tasks that run in the background."""

import asyncio
from typing import Any, Final

__all__ = ["end"]

_AGAIN_S: Final = 1.0
# Long enough for what a task tidies up when it is cancelled.


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended; what they return or raise is left to them.

    Once is not enough: before Python 3.12, `asyncio.wait_for`, by which redis-py sends, swallows a
    cancellation when what it waits for has just succeeded
    (https://github.com/python/cpython/issues/86296), and a task that goes round for ever goes on.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _ended, left = await asyncio.wait(left, timeout=_AGAIN_S)
