"""How long a portal's backlog keeps others waiting, by its length: a part of `make bench-growth`.

Behind so many events of one portal stand ten each of 500 others; measured is the time on the clock
from the enricher's start until all of the others' events are out. Portals and enricher run in this
process, Redis in another.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from consumers.testing import comment_event
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from tests.benchmarks.growth.curve import LINEAR, Curve
from tests.integration.enricher.conftest import COMMENTS, Scene

__all__ = ["curves"]

_SIZES: Final = (10_000, 30_000, 100_000)
_BAR_S: Final = 5.0
_OTHERS: Final = 500
_EACH: Final = 10
_DEADLINE_S: Final = 300.0


def curves(directory: Path) -> list[Curve]:
    """The waits of 500 portals behind the backlog of one that works, and of one that hangs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    server = RedisServer(find_server(), directory)
    server.start()
    try:
        return [
            Curve(
                name=f"500 portals' wait behind the events of one that {word}",
                of="events",
                unit="s on the clock",
                costs=asyncio.run(_waits_s(server, _SIZES, hangs=hangs)),
                most_exponent=LINEAR,
                bar=_BAR_S,
            )
            for word, hangs in (("works", False), ("hangs", True))
        ]
    finally:
        server.stop()


async def _waits_s(server: RedisServer, sizes: Sequence[int], *, hangs: bool) -> dict[int, float]:
    """The seconds by the length of the backlog, whose portal hangs, or works and is slow."""
    return {size: await _wait_s(server, size, hangs=hangs) for size in sizes}


async def _wait_s(server: RedisServer, backlog: int, *, hangs: bool) -> float:
    async with connections.control(server.url, timeout_s=30) as redis, open_sandbox() as sandbox:
        await redis.flushall()
        scene = Scene(redis, server.url, sandbox)
        large = await scene.portal("large", requests_per_s=2.0, burst=2.0)
        large.faults.delay_s = 3600.0 if hangs else 0.0
        for first in range(0, backlog, 1000):
            some = range(first, min(first + 1000, backlog))
            await scene.publish([comment_event(1 + one % 3000, member_id="large") for one in some])
        for number in range(_OTHERS):
            other = await scene.portal(f"other{number}")
            ids = scene.written(other, _EACH)
            await scene.publish([comment_event(one, member_id=other.member_id) for one in ids])
        settings = scene.settings(
            rest={"requests_per_s": 2.0, "burst": 2, "request_timeout_s": 60.0}
        )
        began_s = time.perf_counter()
        async with scene.enriching(settings):
            await _until_out(redis, _OTHERS * _EACH)
            return time.perf_counter() - began_s


async def _until_out(redis: Any, count: int) -> None:
    """Wait until so many events of the others are out."""
    left, last = count, b"-"
    async with asyncio.timeout(_DEADLINE_S):
        while left > 0:
            page: Any = await redis.xrange(COMMENTS, last, "+", count=1000)
            left -= sum(b'"urn:bitrix24:other' in fields[b"event"] for _id, fields in page)
            if page:
                last = b"(" + page[-1][0]
            else:
                await asyncio.sleep(0.05)
