"""Makes what a leading process does for the health of portals, out of its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time, time_ns

from msgspec import Struct
from redis.asyncio import Redis
from uuid_utils import uuid4

from gateway.bitrix24.connecting import Bitrix24
from gateway.portal_health.canary import ask_for_test
from gateway.portal_health.checkup import Checkup
from gateway.portal_health.silence_watch import SilenceWatch
from gateway.portal_health.troubles import PortalEventSink, Troubles
from gateway.portals.directory import Portal
from gateway.settings import Settings

__all__ = ["PortalHealth", "open_portal_health"]


class PortalHealth(Struct, frozen=True):
    """Both look at one portal at a time, given it."""

    silence: SilenceWatch
    checkup: Checkup


@contextmanager
def open_portal_health(
    settings: Settings, client: Redis, bitrix24: Bitrix24, sink: PortalEventSink
) -> Iterator[PortalHealth]:
    """What is done, until somebody else leads. `client` is a control client without decoding."""
    prefix = settings.redis.prefix
    troubles = Troubles(client, sink, prefix=prefix, clock=time_ns)
    checkup = Checkup(client, bitrix24, troubles, settings, now=time)

    async def ask(portal: Portal) -> None:
        # What is silent has often lost its handlers, and then has none to test.
        await checkup.look(portal)
        application = bitrix24.application(portal.member_id)
        await ask_for_test(application, f"silence-{uuid4().hex}")

    silence = SilenceWatch(client, troubles, settings.reconcile, prefix=prefix, ask=ask, now=time)
    try:
        yield PortalHealth(silence, checkup)
    finally:
        silence.close()
