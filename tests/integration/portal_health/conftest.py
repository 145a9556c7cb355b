"""A sandbox, a gateway whose application a portal has installed, and what looks after it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import time
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.contract import PortalEvent
from gateway.portal_health.checkup import Checkup
from gateway.portal_health.troubles import Troubles
from gateway.portals.directory import Portal
from gateway.publishing.publish_once import OncePublisher
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from tests.integration.installation.conftest import gateway, key, port, portal, sandbox, settings
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually

__all__ = ["Carer", "gateway", "key", "port", "portal", "sandbox", "settings"]


class Carer:
    """Looks at a portal as the leading process does; its clock is `ahead_s` ahead."""

    def __init__(
        self, redis: Redis, bitrix24: Bitrix24, sink: OncePublisher, settings: Settings
    ) -> None:
        self.ahead_s = 0.0
        self.bitrix24 = bitrix24
        troubles = Troubles(redis, sink, prefix="b24", clock=lambda: int(self.now() * 1e9))
        self.checkup = Checkup(redis, bitrix24, troubles, settings, now=self.now)

    def now(self) -> float:
        return time() + self.ahead_s

    async def look(self, portal: LivePortal) -> None:
        await self.checkup.look(
            Portal(member_id=portal.member_id, domain=portal.domain, digests=())
        )


OpenCarer = Callable[[Settings], Any]


@pytest.fixture
def open_carer(redis: Redis) -> OpenCarer:
    @asynccontextmanager
    async def carer(settings: Settings) -> AsyncIterator[Carer]:
        sink = OncePublisher(settings.redis, settings.publish)
        try:
            async with connect(settings) as bitrix24:
                yield Carer(redis, bitrix24, sink, settings)
        finally:
            await sink.close()

    return carer


@pytest.fixture
async def carer(open_carer: OpenCarer, settings: Settings) -> AsyncIterator[Carer]:
    async with open_carer(settings) as one:
        yield one


@pytest.fixture
async def installed(gateway: Gateway, portal: LivePortal) -> LivePortal:
    """A portal with the application, its events bound."""
    await portal.install(gateway.url)
    await portal.sent()

    async def is_bound() -> bool:
        return (await gateway.facts.of(portal.member_id)).bound_at is not None

    await eventually(is_bound)
    return portal


async def troubles_on(gateway: Gateway) -> list[PortalEvent]:
    """What was told of portals."""
    return [event for event in await gateway.events() if isinstance(event, PortalEvent)]
