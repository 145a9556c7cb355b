"""Refuses a stream that nobody writes to: its reader would make a misspelt one, and wait on it."""

import asyncio
from contextlib import suppress
from difflib import get_close_matches
from typing import Final

import structlog
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.errors import OperatorError
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.redis_access.stream_information import stream_information

__all__ = ["UnknownStream", "refuse_unknown"]

log = structlog.get_logger()

_OWN: Final = ("events", "comments")
"""The streams of the gateway, which may be read before anything is on them; whoever reads what a
consumer writes starts after that consumer."""

_PAUSE_S: Final = 1.0


class UnknownStream(OperatorError):
    """Nobody writes to the stream that a consumer wants to read."""


async def refuse_unknown(client: Redis, streams: Streams, name: str, stop: asyncio.Event) -> None:
    """Raise UnknownStream for a stream that is none of the gateway's own and is not there.

    While Redis does not say it is asked again, until `stop` is set.
    """
    if name in _OWN:
        return
    while not stop.is_set():
        try:
            is_there = any([await _exists(client, key) for key in streams.keys(name)])
        except AWAY_OR_REFUSING as error:
            log.warning("whether the stream exists is not known", stream=name, error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_S)
            continue
        if is_there:
            return
        meant = get_close_matches(name, _OWN, 1)
        raise UnknownStream(
            f"there is no stream {name!r} ({streams.key(name, 0)}); "
            + (f"did you mean {meant[0]!r}?" if meant else f"the gateway's are {', '.join(_OWN)}")
        )


async def _exists(client: Redis, key: str) -> bool:
    """By a command that every consumer may use."""
    return await stream_information(client, key) is not None
