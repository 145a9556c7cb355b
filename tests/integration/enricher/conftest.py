"""An enricher on a real server, and portals of the sandbox that it asks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from consumers.enricher import build
from consumers.runtime.consumer_process import run
from consumers.testing import comment_event
from gateway.contract import Comment, CommentEvent, Event, decode_event, encode_event
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import (
    Bitrix24Settings,
    ConsumersSettings,
    EnricherSettings,
    EventSettings,
    PortalSettings,
    RedisSettings,
    Settings,
    VaultSettings,
)
from tests.integration.runtime.running import settled
from tests.support.eventually import eventually

EVENTS = "b24:events:{0}"
COMMENTS = "b24:comments:{0}"


class Scene:
    """Portals with inbound webhooks, events about their comments, and what came of these."""

    def __init__(self, redis: Redis, redis_url: str, sandbox: Sandbox) -> None:
        self.redis = redis
        self.url = redis_url
        self.sandbox = sandbox
        self.key = Fernet.generate_key().decode()
        self.portals: dict[str, LivePortal] = {}

    async def portal(self, member_id: str = "acme", **options: Any) -> LivePortal:
        limits = {"requests_per_s": 1000.0, "burst": 1000.0} | options
        portal = await self.sandbox.add_portal(member_id=member_id, **limits)
        self.portals[member_id] = portal
        return portal

    def settings(
        self,
        *,
        partitions: int = 1,
        rest: dict[str, Any] | None = None,
        events: Sequence[EventSettings] = (),
        **enricher: Any,
    ) -> Settings:
        return Settings(
            events=tuple(events),
            redis=RedisSettings(url=self.url, partitions=partitions),
            consumers=ConsumersSettings(lease_s=2.0, grace_s=1.0),
            vault=VaultSettings(keys=(self.key,)),
            bitrix24=Bitrix24Settings(
                **{"request_timeout_s": 2.0, "call_timeout_s": 60.0} | (rest or {})
            ),
            enricher=EnricherSettings(**{"refetch_after_s": 0.1} | enricher),
            portals=tuple(
                PortalSettings(
                    member_id=member_id,
                    domain=f"{member_id}.example",
                    application_tokens=("fake",),
                    rest_webhook=portal.webhook_url,
                )
                for member_id, portal in self.portals.items()
            ),
        )

    def written(self, portal: LivePortal, count: int) -> list[int]:
        """So many new comments in a portal."""
        return [
            portal.comments.add(entity_type="deal", entity_id=2, text=f"text {number}", author_id=7)
            for number in range(count)
        ]

    async def publish(self, events: Sequence[Event]) -> None:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for event in events:
                pipeline.xadd(EVENTS, {"event": encode_event(event)})
            await pipeline.execute()

    async def happened(
        self, portal: LivePortal, comment_id: int, change: Any = "updated"
    ) -> CommentEvent:
        """The event of a change, on the stream."""
        event = comment_event(comment_id, change, member_id=portal.member_id)
        await self.publish([event])
        return event

    @asynccontextmanager
    async def enriching(self, settings: Settings | None = None) -> AsyncIterator[None]:
        """The enricher runs, until the block is left."""
        chosen = settings or self.settings()
        stop = asyncio.Event()
        task = asyncio.create_task(run(build(chosen), chosen, stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def out(self) -> list[tuple[str, Comment | None, bool]]:
        """What is on `comments`: event ids, what is said of their comments, whether it is old."""
        entries: Any = await self.redis.xrange(COMMENTS)
        found = []
        for _id, fields in entries:
            event = decode_event(fields[b"event"])
            comment = event.data.comment if isinstance(event, CommentEvent) else None
            assert comment is None or isinstance(comment, Comment)
            found.append((event.id, comment, fields.get(b"kind") == b"replay"))
        return found

    async def is_settled(self) -> bool:
        return await settled(self.redis, EVENTS, "enricher")

    async def until_settled(self, *, timeout_s: float = 40) -> None:
        await eventually(self.is_settled, timeout_s=timeout_s)

    async def until_out(self, count: int, *, timeout_s: float = 40) -> None:
        async def is_there() -> bool:
            return int(await self.redis.xlen(COMMENTS)) >= count

        await eventually(is_there, timeout_s=timeout_s)


@pytest.fixture
async def scene(redis: Redis, redis_url: str) -> AsyncIterator[Scene]:
    async with open_sandbox() as sandbox:
        yield Scene(redis, redis_url, sandbox)
