"""The process behind `gateway reconcile`: leads if nobody else does, and then goes its rounds.

Another kind of care for portals is another Duty in `duties_of`.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from uuid_utils import uuid4

from gateway import connections
from gateway.bitrix24.connecting import connect
from gateway.bitrix24.offline_signals import take
from gateway.care.opening import Care, open_care
from gateway.errors import OperatorError
from gateway.leases import Leases
from gateway.portals.directory import Directory, Portal
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.publishing.memory_gate import MemoryGate
from gateway.publishing.once import OncePublisher
from gateway.reconciling.drain import Drain
from gateway.reconciling.duties import Duty
from gateway.reconciling.gap_book import GapBook
from gateway.reconciling.leadership import Leadership
from gateway.reconciling.refusals import QueueRefusals
from gateway.reconciling.rounds import Rounds
from gateway.reconciling.sightings import Sightings
from gateway.reconciling.sweep import Sweep
from gateway.reconciling.told import ToldBook
from gateway.reconciling.tools import Tools
from gateway.reconciling.waking import Waking
from gateway.settings import Settings

__all__ = ["Process", "lease_key"]

log: Any = structlog.get_logger(__name__)

DRAIN: Final = "drain"
_LISTEN_S: Final = 1.0
_LOOK_S: Final = 0.2
_MORE_S: Final = 120.0
# By how much longer than usual a drain may take before the streams are read a second time for it.
_STUCK_S: Final = 60.0
# A beat takes seconds even when Redis is away.


def lease_key(settings: Settings) -> str:
    """The key that is there for as long as a process leads."""
    return f"{settings.redis.prefix}:reconcile:lease"


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
        self._lease = lease_key(settings)
        self._leadership = Leadership(
            self._leases, self._lease, life_s=own.lease_s, grace_s=own.grace_s
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Go rounds until `stop` is set; raises OperatorError for settings that cannot work."""
        async with _Parts(self._settings, self._redis) as parts:

            async def lead(winding_down: asyncio.Event) -> None:
                async with parts.rounds() as rounds, asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(self._follow_signals(rounds))
                    await rounds.run(winding_down)
                    listening.cancel()

            await self._leadership.run(lead, stop)

    async def once(self) -> bool:
        """Go one round; whether everything went well for every portal.

        The lease of a process that died is waited for. Raises OperatorError if another process
        leads, or if Redis does not answer.
        """
        went_well = False
        async with _Parts(self._settings, self._redis) as parts:
            done = asyncio.Event()

            async def lead(_: asyncio.Event) -> None:
                nonlocal went_well
                async with parts.rounds() as rounds:
                    went_well = await rounds.once()
                done.set()

            await self._take_lease()
            await self._leadership.run(lead, done)
        return went_well

    async def _take_lease(self) -> None:
        until = time.monotonic() + self._settings.reconcile.lease_s + 1.0
        try:
            while not await self._leases.hold(self._lease):
                if time.monotonic() > until:
                    raise OperatorError("another process of `gateway reconcile` is at it")
                await asyncio.sleep(_LOOK_S)
        except (RedisError, *connections.AWAY) as error:
            raise OperatorError(f"Redis does not answer: {error}") from error

    async def _follow_signals(self, rounds: Rounds) -> None:
        """Let queues be drained when their portals say that something is in them."""
        own, prefix = self._settings.reconcile, self._settings.redis.prefix
        # A second more, since a row's time is in whole seconds.
        waking = Waking(settle_s=own.settle_s + 1.0)
        while True:
            try:
                waking.signalled(await take(self._redis, prefix=prefix), time.monotonic())
            except (RedisError, *connections.AWAY) as error:
                log.debug("signals are not heard", error=str(error))
            for member_id in waking.due(time.monotonic()):
                rounds.wake(DRAIN, member_id, in_s=0.0)
            await asyncio.sleep(_LISTEN_S)

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
        # Nobody sends anything here, so their application tokens are not needed.
        self._directory = Directory(
            Portal(member_id=one.member_id, domain=one.domain, digests=())
            for one in settings.portals
        )
        self._gate = MemoryGate(redis, max_share=settings.retention.max_memory_share)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._redis.aclose)
            self._bitrix24 = await stack.enter_async_context(connect(self._settings))
            registry = Registry(self._redis, prefix=self._settings.redis.prefix)
            follower = Follower(self._directory, registry)
            stack.push_async_callback(follower.close)
            await follower.start()
            stack.push_async_callback(self._gate.close)
            self._gate.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def rounds(self) -> AsyncIterator[Rounds]:
        """The rounds of a new leader, who knows nothing of what the last one did."""
        settings, own = self._settings, self._settings.reconcile
        publisher = OncePublisher(settings.redis, settings.publish)
        tools = Tools(
            settings=settings,
            redis=self._redis,
            client_of=self._bitrix24.portal,
            sightings=Sightings(
                self._redis, settings.redis.streams, kept_s=own.settle_s + own.every_s + _MORE_S
            ),
            publisher=publisher,
            gaps=GapBook(self._redis, prefix=settings.redis.prefix),
            told=ToldBook(
                self._redis,
                settings.redis.streams,
                max_entities=own.sweep_entities,
                kept_days=own.sweep_days,
            ),
            refusals=QueueRefusals(self._redis, prefix=settings.redis.prefix),
            holds_back=self._gate.is_closed,
        )
        try:
            with open_care(settings, self._redis, self._bitrix24, publisher) as care:
                duties = duties_of(tools, care)
                yield Rounds(duties, self._directory, at_once=own.max_portals_at_once)
        finally:
            await publisher.close()


def duties_of(tools: Tools, care: Care) -> Sequence[Duty]:
    """What is done for each portal."""
    own = tools.settings.reconcile
    return (
        Duty(name=DRAIN, every_s=own.every_s, carry_out=Drain(tools).carry_out),
        Duty(name="sweep", every_s=own.sweep_every_s, carry_out=Sweep(tools).carry_out),
        Duty(name="silence", every_s=own.silence_every_s, carry_out=care.silence.look),
        Duty(name="checkup", every_s=own.check_every_s, carry_out=care.checkup.look),
    )
