"""Whether probes tell the truth: what they say against what their groups do."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.redis_access import connections
from tests.faults.soak.world import STREAMS, World

__all__ = ["Truth"]

_EVERY_S: Final = 3.0
_STILL_S: Final = 45.0
"""A group that has something to do and does nothing for so long is not well, whatever it waits for:
the faults last eight seconds at most."""


class Truth:
    """Asks all probes and looks at all groups, time and again; `lies` says what was untrue."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lies: list[str] = []
        self.asked_count = 0
        self._seen: dict[str, tuple[object, float]] = {}

    async def watch(self, is_over: asyncio.Event) -> None:
        """Until it is over."""
        async with connections.control(self._world.url) as redis:
            while not is_over.is_set():
                for group, (stream, workers) in self._world.groups().items():
                    said = [await asyncio.to_thread(_probes, one) for one in workers]
                    self.asked_count += 2 * len(said)
                    for worker, statuses in zip(workers, said, strict=True):
                        if not {0, 200, 503} >= set(statuses):
                            self.lies.append(f"{worker.name} answered {statuses}")
                    is_green = all(statuses == (200, 200) for statuses in said)
                    await self._judge(redis, group, stream, is_green=is_green)
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_over.wait(), _EVERY_S)

    async def all_well(self) -> bool:
        """Whether every probe is green, now that there is nothing to do."""
        said = [await asyncio.to_thread(_probes, one) for one in self._world.consumers]
        return all(statuses == (200, 200) for statuses in said)

    async def _judge(self, redis: Redis, group: str, stream: str, *, is_green: bool) -> None:
        """A lie is told by whoever is green all the time that its group stands still."""
        now = time.monotonic()
        standing = await _standing(redis, group, stream)
        before, since = self._seen.get(group, (None, now))
        if not is_green or standing is None or standing != before:
            self._seen[group] = (standing, now)
        elif now - since > _STILL_S:
            self.lies.append(f"{group} stood still for {now - since:.0f} s, and all was green")
            self._seen[group] = (standing, now)


def _probes(worker: Any) -> tuple[int, int]:
    return worker.probe("readyz"), worker.probe("healthz")


async def _standing(redis: Redis, group: str, stream: str) -> object | None:
    """Where a group stands while it has something to do; None if it has not, or nobody knows."""
    places = []
    is_behind = False
    try:
        for key in STREAMS.keys(stream):
            info: Any = await redis.xinfo_stream(key)
            rows: Any = await redis.xinfo_groups(key)
            for row in rows:
                if row["name"] == group.encode():
                    places.append((row["last-delivered-id"], row["pending"]))
                    at_end = row["last-delivered-id"] == info["last-generated-id"]
                    is_behind = is_behind or not at_end or row["pending"] > 0
    except (*connections.AWAY, ResponseError):
        return None
    return tuple(places) if is_behind else None
