"""Says whether the installed aiohttp has what the fast lane stands on.

There is no public way to see whether a connection of aiohttp waits for a request, so the lane looks
at attributes that a release may rename. Then all requests go aiohttp's way, which needs none.
"""

from collections.abc import Iterable
from typing import Final

from aiohttp import __version__
from aiohttp.web_protocol import RequestHandler

__all__ = ["missing_in_aiohttp"]

_LOOKED_AT: Final = (
    *("_close", "_force_close", "_loop", "_paused", "_waiter", "transport", "peername"),
    *("_keepalive_timeout", "_next_keepalive_close_time", "_process_keepalive"),
    *("close", "data_received", "shutdown"),
)


def missing_in_aiohttp(added: Iterable[str]) -> str | None:
    """Why the lane cannot be used with this aiohttp, in words; None if it can.

    `added` are the attributes that the lane adds to those of aiohttp's connection.
    """
    there = _attributes_of(RequestHandler)
    missing = [name for name in _LOOKED_AT if name not in there]
    taken = [name for name in added if name in there]
    if missing:
        return f"aiohttp {__version__} has no {', '.join(missing)}"
    if taken:
        return f"aiohttp {__version__} has {', '.join(taken)} of its own"
    return None


def _attributes_of(kind: type) -> set[str]:
    """Names of what an object of this kind has: methods, slots, class attributes."""
    return {name for base in kind.__mro__ for name in vars(base)}
