"""Makes the receiver out of the settings: the public port's server, and all that is behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import encode_event
from gateway.installation.assembly import ApplicationParts, open_application
from gateway.publishing.durability import Ack, check_at_start
from gateway.settings import Settings
from gateway.spans import is_traced
from gateway.web.app_events import AppEvents
from gateway.web.delivery_spans import TracedReceiver, encode_traced
from gateway.web.fast_lane.aiohttp_fit import missing_in_aiohttp
from gateway.web.fast_lane.lane import FastLane
from gateway.web.fast_lane.lane_connection import LaneConnection
from gateway.web.install_page import install_page
from gateway.web.protection.descriptors import room_for
from gateway.web.public_server import PublicServer
from gateway.web.receiver import Receiver
from gateway.web.senders import Senders
from gateway.web.storage import Storage
from gateway.web.unavailability import Unavailability

__all__ = ["ReceiverParts", "assemble"]

log: Any = structlog.get_logger(__name__)


class ReceiverParts(Struct, frozen=True):
    """A receiver and its parts. `start` before the port is opened, `close` when it is to be closed.

    `public` is what listens with `server`. For `last_requests_s` after it was closed, what comes on
    open connections is answered.
    """

    senders: Senders
    application: ApplicationParts
    storage: Storage
    server: PublicServer
    public: web.ServerRunner
    last_requests_s: float

    async def start(self) -> None:
        """Start all parts; nothing comes in before somebody listens with `public`."""
        self.storage.start()
        await self.senders.start()
        self.application.start()

    async def close(self) -> None:
        """Take no more requests, answer those that there are, store what was accepted, and end."""
        await asyncio.gather(self._answer_the_last(), self.storage.stop_draining())
        await self.storage.close()
        await self.application.close()
        await self.senders.close()

    async def _answer_the_last(self) -> None:
        for site in self.public.sites:
            await site.stop()
        await self.server.last_requests(self.last_requests_s)
        await self.public.cleanup()


@asynccontextmanager
async def assemble(settings: Settings, control: Redis) -> AsyncIterator[ReceiverParts]:
    """A receiver that has not been started; its connections to portals are closed at the end.

    `control` is a control client (gateway.redis_access.connections.control). Raises OperatorError
    if the settings cannot work on this machine.
    """
    senders = Senders(settings, control)
    async with open_application(settings, control, senders.follower) as application:
        await check_at_start(control, Ack.parse(settings.publish.ack))
        storage = await Storage.open(settings, control)
        unavailability = Unavailability()
        receiver = _receiver(settings, senders, application, storage, unavailability)
        http = settings.http
        server = PublicServer(
            TracedReceiver(receiver, http) if is_traced() else receiver,
            http,
            max_connections=room_for(http.max_connections),
            lane=_fast_lane(settings, senders, storage, unavailability),
        )
        last_requests_s = min(http.last_requests_s, http.grace_s / 2)
        # aiohttp waits twice so long: for the requests under way, then for those it has cut off.
        shutdown_s = (http.grace_s - last_requests_s) / 2
        public = web.ServerRunner(server, handle_signals=False, shutdown_timeout=shutdown_s)
        yield ReceiverParts(senders, application, storage, server, public, last_requests_s)


def _receiver(
    settings: Settings,
    senders: Senders,
    application: ApplicationParts,
    storage: Storage,
    unavailability: Unavailability,
) -> Receiver:
    streams, counts = settings.redis.streams, senders.rates.counts
    encode = encode_traced if is_traced() else encode_event
    return Receiver(
        senders.admission,
        storage.publisher,
        streams,
        settings.http,
        app_events=AppEvents(
            storage.publisher,
            streams,
            lifecycle=application.lifecycle,
            signals=application.signals,
            counts=counts,
            encode=encode,
        ),
        event_tokens=application.event_tokens,
        guard=senders.guard,
        page=install_page(settings, application),
        quarantine=senders.quarantining,
        counts=counts,
        unavailability=unavailability,
        encode=encode,
    )


def _fast_lane(
    settings: Settings, senders: Senders, storage: Storage, unavailability: Unavailability
) -> FastLane | None:
    """The lane beside the receiver; None, and a word in the log, if there can be none."""
    if not settings.http.fast_lane:
        return None
    if is_traced():
        log.info("no fast lane", why="deliveries are traced, each with a span of its own")
        return None
    if (why := missing_in_aiohttp(LaneConnection.__slots__)) is not None:
        log.warning("no fast lane", why=why, what_it_costs="twice the CPU time per delivery")
        return None
    return FastLane(
        senders.admission,
        storage.publisher,
        settings.redis.streams,
        guard=senders.guard,
        counts=senders.rates.counts,
        unavailability=unavailability,
        max_body_bytes=settings.http.max_body,
    )
