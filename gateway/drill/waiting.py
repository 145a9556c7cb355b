"""Waits for what others bring about: looks again and again, until a deadline."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.errors import GatewayError

__all__ = ["NotInTime", "until"]

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1


class NotInTime(GatewayError):
    """What was waited for has not come about; the text says what it was."""


async def until(look: Callable[[], bool | Awaitable[bool]], *, timeout_s: float, what: str) -> None:
    """Look until it is so. `look` may be a coroutine function, and bounds its own time.

    Raises NotInTime at the deadline, which names `what` was waited for, and what `look` raises.
    """
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_PAUSE_S
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {timeout_s:.0f} s: {what}")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
