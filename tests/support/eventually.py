"""Waits, in the one way in which tests wait: looks again and again, until a deadline."""

import asyncio
import inspect
import reprlib
import time
from collections.abc import Awaitable, Callable, Mapping
from textwrap import shorten
from typing import Final, TypeVar, overload

__all__ = ["eventually", "eventually_blocking"]

T = TypeVar("T")

_TIMEOUT_S: Final = 40.0
_FIRST_PAUSE_S: Final = 0.001  # what is so at once costs next to nothing
_LONGEST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_OF_ALL_S: Final = 0.5
"""After a look that took long itself, as one does that asks by a command."""


@overload
async def eventually(look: Callable[[], Awaitable[T]], *, timeout_s: float = ...) -> T: ...
@overload
async def eventually(look: Callable[[], T], *, timeout_s: float = ...) -> T: ...
async def eventually(look: Callable[[], object], *, timeout_s: float = _TIMEOUT_S) -> object:
    """Look until what is seen is true, and return it. `look` may be a coroutine function.

    Raises AssertionError at the deadline, saying what was looked for, what was seen last, and what
    the names in `look` stood for by then. One look takes no longer than `timeout_s` either.
    """
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        seen = look()
        if inspect.isawaitable(seen):
            async with asyncio.timeout(timeout_s):
                seen = await seen
        if seen:
            return seen
        if (now := time.monotonic()) > deadline:
            raise AssertionError(_told(look, seen, timeout_s))
        await asyncio.sleep(max(pause_s, min(2 * (now - began), _LONGEST_PAUSE_OF_ALL_S)))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def eventually_blocking(look: Callable[[], T], *, timeout_s: float = _TIMEOUT_S) -> T:
    """Look as `eventually` does, for a test without an event loop."""
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_PAUSE_S
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(_told(look, seen, timeout_s))
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return seen


def _told(look: Callable[[], object], seen: object, timeout_s: float) -> str:
    names = ", ".join(f"{name} = {reprlib.repr(it)}" for name, it in _names_in(look).items())
    text = f"not within {timeout_s} s: {_source_of(look)}; seen last: {reprlib.repr(seen)}"
    return f"{text}, with {names}" if names else text


def _source_of(look: Callable[[], object]) -> str:
    try:
        return shorten(inspect.getsource(look), 200)
    except (OSError, TypeError):  # a partial, or a method of a built-in
        return repr(look)


def _names_in(look: Callable[[], object]) -> Mapping[str, object]:
    """What a lambda or a local function has of the test around it."""
    try:
        return inspect.getclosurevars(look).nonlocals
    except TypeError:  # not a Python function
        return {}
