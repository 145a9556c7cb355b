"""The process behind `gateway reconcile`: leads if nobody else does, and then goes its rounds.

Another kind of care for portals is another Duty in `duties_of`.
"""

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from uuid_utils import uuid4

from gateway import connections
from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.errors import OperatorError
from gateway.leases import Leases
from gateway.portals.directory import Directory, portals_of
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.reconciling.duties import Duty
from gateway.reconciling.leadership import Leadership
from gateway.reconciling.rounds import Rounds
from gateway.settings import Settings

__all__ = ["Process"]

log: Any = structlog.get_logger(__name__)

_STUCK_S: Final = 60.0
# A beat takes seconds even when Redis is away.


class Process:
    """One process; `run` or `once` is called once."""

    def __init__(self, settings: Settings) -> None:
        own = settings.reconcile
        self._settings = settings
        self._redis = connections.control(settings.redis.url)
        self._leases = Leases(
            self._redis,
            owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
            life_ms=round(own.lease_s * 1000),
        )
        self._lease = f"{settings.redis.prefix}:reconcile:lease"
        self._leadership = Leadership(
            self._leases, self._lease, life_s=own.lease_s, grace_s=own.grace_s
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Go rounds until `stop` is set; raises OperatorError for settings that cannot work."""
        async with _Parts(self._settings, self._redis) as parts:

            async def lead(winding_down: asyncio.Event) -> None:
                await parts.rounds().run(winding_down)

            await self._leadership.run(lead, stop)

    async def once(self) -> bool:
        """Go one round; whether everything went well for every portal.

        Raises OperatorError if another process leads, or if Redis does not answer.
        """
        went_well = False
        async with _Parts(self._settings, self._redis) as parts:
            done = asyncio.Event()

            async def lead(_: asyncio.Event) -> None:
                nonlocal went_well
                went_well = await parts.rounds().once()
                done.set()

            try:
                is_held = await self._leases.hold(self._lease)
            except (RedisError, *connections.AWAY) as error:
                raise OperatorError(f"Redis does not answer: {error}") from error
            if not is_held:
                raise OperatorError("another process of `gateway reconcile` is at it")
            await self._leadership.run(lead, done)
        return went_well

    async def why_not_ready(self) -> str | None:
        """None if the process leads or stands by, else why it can do neither."""
        return None if self._leadership.is_connected else "redis does not answer"

    async def why_not_alive(self) -> str | None:
        """None if the process makes progress, with Redis or without."""
        silent_s = time.monotonic() - self._leadership.beaten_at
        return None if silent_s < _STUCK_S else f"no beat for {silent_s:.0f} s"


class _Parts:
    """What a leader works with, open from the start on: a wrong setting is told at once."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._directory = Directory(portals_of(settings.portals))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._redis.aclose)
            self._bitrix24 = await stack.enter_async_context(connect(self._settings))
            registry = Registry(self._redis, prefix=self._settings.redis.prefix)
            follower = Follower(self._directory, registry)
            stack.push_async_callback(follower.close)
            await follower.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def rounds(self) -> Rounds:
        """The rounds of a new leader, who knows nothing of what the last one did."""
        return Rounds(
            duties_of(self._settings, self._redis, self._bitrix24),
            self._directory,
            at_once=self._settings.reconcile.max_portals_at_once,
        )


def duties_of(
    settings: Settings,  # noqa: ARG001 - what the duties to come are made of
    redis: Redis,  # noqa: ARG001
    bitrix24: Bitrix24,  # noqa: ARG001
) -> Sequence[Duty]:
    """What is done for each portal."""
    return ()
