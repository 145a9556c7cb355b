"""Makes what a leading process works with out of the settings; another kind of work is another
Duty.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final, Self

from redis.asyncio import Redis

from gateway.bitrix24.connecting import connect
from gateway.missed_events.comment_states import CommentStates
from gateway.missed_events.dependencies import Dependencies
from gateway.missed_events.drain import Drain
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.online_events import OnlineEvents
from gateway.missed_events.portals_without_queue import PortalsWithoutQueue
from gateway.missed_events.sweep import Sweep
from gateway.partitioning.partition_follower import following
from gateway.portal_health.assembly import PortalHealth, open_portal_health
from gateway.portal_health.troubled_portals import list_troubled
from gateway.portals.directory import Directory, Portal
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.publishing.memory_gate import MemoryGate
from gateway.publishing.publish_once import OncePublisher
from gateway.reconciler.duties import Duty
from gateway.reconciler.rounds import Rounds
from gateway.redis_access.redis_faults import FAILURES
from gateway.settings import Settings

__all__ = ["DRAIN", "LeaderParts"]

DRAIN: Final = "drain"
_MORE_S: Final = 120.0
# By how much longer than usual a drain may take before the streams are read a second time for it.


class LeaderParts:
    """Holds what a leader works with, open from the start on: a wrong setting is told at once."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        # Nobody sends anything here, so their application tokens are not needed.
        self._directory = Directory(
            Portal(member_id=one.member_id, domain=one.domain, digests=())
            for one in settings.portals
        )
        self._gate = MemoryGate(
            redis, settings.redis.streams, max_share=settings.retention.max_memory_share
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._redis.aclose)
            streams = self._settings.redis.streams
            await stack.enter_async_context(following(self._redis, streams))
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
        dependencies = Dependencies(
            settings=settings,
            redis=self._redis,
            client_of=self._bitrix24.portal,
            application_of=self._bitrix24.application,
            online_events=OnlineEvents(
                self._redis, settings.redis.streams, kept_s=own.settle_s + own.every_s + _MORE_S
            ),
            publisher=publisher,
            gaps=GapBook(self._redis, prefix=settings.redis.prefix),
            told=CommentStates(
                self._redis,
                settings.redis.streams,
                max_entities=own.sweep_entities,
                kept_days=own.sweep_days,
            ),
            refusals=PortalsWithoutQueue(self._redis, prefix=settings.redis.prefix),
            holds_back=self._gate.is_any_closed,
        )
        try:
            await self._list_troubled()
            with open_portal_health(settings, self._redis, self._bitrix24, publisher) as health:
                duties = _duties(dependencies, health)
                yield Rounds(duties, self._directory, at_once=own.max_portals_at_once)
        finally:
            await publisher.close()

    async def _list_troubled(self) -> None:
        """What this leaves out because Redis is away is listed as portals are looked at."""
        member_ids = [portal.member_id for portal in self._directory]
        with suppress(*FAILURES):
            await list_troubled(self._redis, member_ids, prefix=self._settings.redis.prefix)


def _duties(dependencies: Dependencies, health: PortalHealth) -> Sequence[Duty]:
    """What is done for each portal."""
    own = dependencies.settings.reconcile
    return (
        Duty(name=DRAIN, every_s=own.every_s, carry_out=Drain(dependencies).carry_out),
        Duty(name="sweep", every_s=own.sweep_every_s, carry_out=Sweep(dependencies).carry_out),
        Duty(
            name="silence",
            every_s=own.silence_every_s,
            carry_out=health.silence.look,
            asks=False,  # but for a test event, which it does without
        ),
        Duty(name="checkup", every_s=own.check_every_s, carry_out=health.checkup.look),
    )
