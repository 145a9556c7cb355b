"""Measures for how long the receiver's periodic work keeps its loop, by the number of portals.

A part of `make bench-growth`. A task that only gives way notes how much of the processor its thread
took between two of its turns: what else ran on the loop meanwhile. The clock would count what
other processes of a busy machine took.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from prometheus_client import generate_latest

from gateway.local.redis_server import RedisServer, find_server
from gateway.portals.application_tokens import digest_of
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.settings.loading import load
from gateway.web.senders import Senders
from tests.benchmarks.growth.curve import CONSTANT, LINEAR, Curve

__all__ = ["curves"]

_SIZES: Final = (10, 1_000, 10_000)
_BAR_MS: Final = 5.0
_SCRAPE_BAR_MS: Final = 10.0
_MINUTE: Final = 1_766_047_080.0


class _Loop:
    """The longest piece that the loop did for others, in ms of CPU."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def watch(self) -> None:
        """Note it until cancelled."""
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            taken_ms, last = 1000 * (now - last), now
            self.longest_ms = max(self.longest_ms, taken_ms)


@asynccontextmanager
async def _watched() -> AsyncIterator[_Loop]:
    loop = _Loop()
    watching = asyncio.create_task(loop.watch())
    await asyncio.sleep(0.01)
    loop.longest_ms = 0.0
    yield loop
    await asyncio.sleep(0.01)  # the last piece counts, too
    watching.cancel()


async def _longest_ms(work: Callable[[], Awaitable[Any]]) -> float:
    """The least of five: a page fault or a collection of garbage is not the work's doing."""
    found = []
    for _ in range(5):
        async with _watched() as loop:
            await work()
        found.append(loop.longest_ms)
    return min(found)


async def _all_ms(work: Callable[[], Awaitable[Any]]) -> float:
    """All that it takes, unwatched; the least of five."""
    found = []
    for _ in range(5):
        began = time.thread_time()
        await work()
        found.append(1000 * (time.thread_time() - began))
    return min(found)


async def _measured(url: str, directory: Path, count: int) -> dict[str, float]:
    settings = load(None, {"GATEWAY_REDIS_URL": url, "GATEWAY_SPOOL_DIR": str(directory)})
    async with connections.control(url) as redis:
        await redis.flushall()
        registry = Registry(redis, prefix="b24")
        moment, digest = datetime.now(UTC), digest_of("fake")
        await asyncio.gather(
            *(
                registry.add(f"m{number}", f"p{number}.example", digest, now=moment)
                for number in range(count)
            )
        )
        senders = Senders(settings, redis)
        await senders.follower.start()
        minutes = iter(range(10**6))

        async def look() -> None:
            senders.rates.counts.update({f"m{number}": 1 for number in range(count)})
            await senders.rates.measure(_MINUTE + 60 * next(minutes))

        async def add_one() -> None:
            await registry.add("added", f"p{next(minutes)}.example", digest, now=moment)
            await senders.follower.look()

        async def scrape() -> None:
            generate_latest()

        costs = {
            "rates": await _longest_ms(look),
            "rates in all": await _all_ms(look),
            "portal added": await _longest_ms(add_one),
            "nothing new": await _longest_ms(senders.follower.look),
            "scrape": await _longest_ms(scrape),
        }
        await senders.close()
    return costs


def curves(directory: Path) -> list[Curve]:
    """How long each piece of periodic work keeps the loop."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    server = RedisServer(find_server(), directory / "redis")
    server.start()
    (directory / "spool").mkdir()
    try:
        found = {
            size: uvloop.run(_measured(server.url, directory / "spool", size)) for size in _SIZES
        }
    finally:
        server.stop()
    names = {
        "rates": "counting what all portals sent",
        "portal added": "learning of a portal that was added",
        "nothing new": "looking whether one was added",
        "scrape": "/metrics",
    }
    still = [
        Curve(
            name=f"the receiver's loop stands still: {name}",
            of="portals",
            unit="ms of CPU",
            costs={size: found[size][key] for size in _SIZES},
            most_exponent=CONSTANT if key == "scrape" else LINEAR,
            bar=_SCRAPE_BAR_MS if key == "scrape" else _BAR_MS,
        )
        for key, name in names.items()
    ]
    in_all = Curve(
        name="counting what all portals sent, every ten seconds, in all",
        of="portals",
        unit="ms of CPU",
        costs={size: found[size]["rates in all"] for size in _SIZES},
        most_exponent=LINEAR,
    )
    return [*still, in_all]
