"""Makes the relay's consumers, one for each endpoint, and what all of them share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from redis.asyncio import Redis

from consumers import Backoff, Consumer, DeadLetterLimit, Entry, Event, RetrySchedule
from consumers.relay.endpoint_delivery import EndpointDelivery
from consumers.relay.endpoint_reporting import EndpointReporting
from consumers.relay.open_files import allow_open_files
from consumers.runtime.consumer_checks import InvalidConsumer, refuse_idle
from consumers.runtime.consumer_set import ConsumerSet
from gateway.background import Background
from gateway.contract import EventSelection
from gateway.errors import OperatorError
from gateway.ops.group_interventions import pause_group
from gateway.redis_access import connections
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.settings import RelaySettings, Settings
from gateway.webhooks.push_endpoints import PushEndpoint, endpoints_of, fence_of
from gateway.webhooks.webhook_sender import open_sender

__all__ = ["relay_of"]

log = structlog.get_logger()

_NAME: Final = "relay"
_NEVER: Final = DeadLetterLimit(max_count=1_000_000)
"""What an endpoint refuses is no fault of the relay's, which all others would stop with."""
_IN_HAND: Final = 500
"""Entries of a partition in memory for an endpoint: a few megabytes, and what several are given at
the same time is there once. Half of them may wait because the endpoint refuses them."""


def relay_of(settings: Settings) -> ConsumerSet:
    """The relay; raises OperatorError naming every endpoint and key that cannot work."""
    relay = settings.relay
    endpoints = endpoints_of(relay)
    deliveries: dict[str, EndpointDelivery] = {}

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        allow_open_files(sum(one.settings.concurrency for one in endpoints))
        async with (
            connections.control(settings.redis.url) as control,
            open_sender(fence_of(relay), endpoints=len(endpoints)) as sender,
        ):
            reporting = EndpointReporting(control, prefix=settings.redis.prefix)
            former = await reporting.former()
            for endpoint in endpoints:
                deliveries[endpoint.name] = delivery = EndpointDelivery(
                    endpoint,
                    relay,
                    sender=sender,
                    reporting=reporting,
                    pause=_pausing(control, settings, endpoint),
                )
                record = former.get(endpoint.name)
                if record is not None and record.failing_since:
                    since = datetime.fromisoformat(record.failing_since)
                    delivery.standing.failing_since = since.timestamp()
            writing = Background(reporting.run, name="endpoint records", begins_anew=True)
            writing.start()
            if endpoints:
                log.info("pushing events", endpoints=len(endpoints))
            else:
                log.warning("no endpoints: [[relay.endpoints]] names them")
            try:
                yield
            finally:
                await writing.close()
                await reporting.write()

    return ConsumerSet(
        name=_NAME,
        consumers=tuple(_consumer(endpoint, relay, deliveries) for endpoint in endpoints),
        lifespan=lifespan,
    )


def _consumer(
    endpoint: PushEndpoint, relay: RelaySettings, deliveries: dict[str, EndpointDelivery]
) -> Consumer:
    app = Consumer(
        group=endpoint.group,
        stream=endpoint.settings.stream,
        start=endpoint.settings.start,
        concurrency=endpoint.settings.concurrency,
        backoff=Backoff(first_s=1.0, limit_s=relay.longest_pause_s),
        retries=RetrySchedule(pauses_s=relay.retry_s, give_up_s=relay.give_up_s),
        takes=endpoint.takes,
        max_in_hand=_IN_HAND,
        dead_letter_limit=_NEVER,
    )

    async def push(event: Event, entry: Entry) -> None:
        await deliveries[endpoint.name].push(event, entry)

    for pattern in endpoint.settings.types:
        app.on(pattern)(push)
    try:
        refuse_idle(app)
    except InvalidConsumer as fault:
        key = f"[[relay.endpoints]] {endpoint.name} types"
        raise OperatorError("\n".join(f"{key}: {one}" for one in str(fault).splitlines())) from None
    return app


def _pausing(
    control: Redis, settings: Settings, endpoint: PushEndpoint
) -> Callable[[str], Awaitable[None]]:
    """What pauses an endpoint's group until an operator resumes it."""

    async def pause(why: str) -> None:
        about = {"endpoint": endpoint.name, "reason": why}
        try:
            await pause_group(
                control,
                settings.redis.streams,
                endpoint.group,
                EventSelection(),
                until=None,
                now=datetime.now(UTC),
            )
        except (*AWAY_OR_REFUSING, OperatorError) as error:
            # It is tried again with the next event.
            log.warning("endpoint is not paused yet", error=type(error).__name__, **about)
            return
        log.error(
            "endpoint paused: it gets nothing until it is resumed",
            remedy=f"gateway groups resume {endpoint.group}",
            **about,
        )

    return pause
