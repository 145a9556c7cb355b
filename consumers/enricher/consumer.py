"""Makes the enricher as a consumer, and holds what it has open while its process runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from msgspec import Struct

from consumers import Consumer, Entry, Output, Partition
from consumers.enricher.event_handler import Handling, pass_on
from consumers.enricher.fetch_rules import FetchRules
from consumers.enricher.portal_requests import PortalRequests
from consumers.enricher.refetch_queue import RefetchQueue
from consumers.enricher.refetching import Refetching
from consumers.enricher.snapshots import Snapshots
from gateway.background import Background
from gateway.bitrix24.batching import MAX_COMMANDS
from gateway.bitrix24.connecting import connect
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.vault.encryption import Vault

__all__ = ["consumer_of"]

log: Any = structlog.get_logger(__name__)

_GROUP: Final = "enricher"
_OUTPUT: Final = "comments"
_MAX_WAIT_S: Final = 0.1
_SPACING_S: Final = 1.0
"""A portal takes two requests a second for long: a trickle of events uses half of that, and from
fifty a second on every request is full."""
_MAX_REQUESTS: Final = 4
"""Under way to one portal: enough for its limit with answers that take two seconds."""
_MAX_REQUESTS_IN_ALL: Final = 1000
"""Under way to all portals; one that is out of reach takes minutes to be known for it."""
_MOST_LOOK_S: Final = 10.0


class _Open(Struct, frozen=True):
    """What there is from the start of the process to its end."""

    asking: PortalRequests
    snapshots: Snapshots
    queue: RefetchQueue
    handling: Handling


def consumer_of(settings: Settings, rules: FetchRules | None = None) -> Consumer:
    """The enricher; raises OperatorError for keys of the vault that cannot be used."""
    process = _Process(settings, rules or FetchRules({}))
    consumer = Consumer(
        group=_GROUP,
        stream="events",
        output=_OUTPUT,
        concurrency=_MAX_REQUESTS_IN_ALL,
        lifespan=process.lifespan,
        partition_lifespan=process.partition_lifespan,
    )
    consumer.transform(
        *process.rules.gathered,
        together="source",
        max_subjects=MAX_COMMANDS,
        max_wait_s=_MAX_WAIT_S,
        spacing_s=_SPACING_S,
        max_batches=_MAX_REQUESTS,
    )(process.enrich)
    consumer.transform("*")(pass_on)
    return consumer


class _Process:
    """What the runtime calls."""

    def __init__(self, settings: Settings, rules: FetchRules) -> None:
        self.rules = rules
        self._settings = settings
        self._vault = Vault.of(settings.vault)
        self._opened: _Open | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Be able to call portals. Raises OperatorError for credentials that cannot be used."""
        options, streams = self._settings.enricher, self._settings.redis.streams
        redis = connections.control(self._settings.redis.url)
        try:
            async with connect(self._settings) as portals:
                self._tell_what_is_missing()
                asking = PortalRequests(portals, give_up_after_s=options.give_up_after_s)
                snapshots = Snapshots(redis, self._vault, streams, kept_days=options.snapshot_days)
                queue = RefetchQueue(
                    redis,
                    streams,
                    group=_GROUP,
                    output=_OUTPUT,
                    first_s=options.refetch_after_s,
                    kept_days=options.refetch_days,
                    max_count=options.max_refetch,
                )
                handling = Handling(self.rules, asking, snapshots, queue)
                self._opened = _Open(asking, snapshots, queue, handling)
                yield
        finally:
            await redis.aclose()

    @asynccontextmanager
    async def partition_lifespan(self, partition: Partition) -> AsyncIterator[None]:
        """Ask again, while this process owns the partition, for what could not be had before."""
        opened = self._in_lifespan()
        refetching = Refetching(
            partition,
            self.rules,
            opened.queue,
            opened.asking,
            opened.snapshots,
            every_s=min(_MOST_LOOK_S, self._settings.enricher.refetch_after_s / 2),
        )
        # Begun anew: what waits is in Redis, and live events do not wait for it.
        task = Background(refetching.run, name="refetching", begins_anew=True)
        task.start()
        try:
            yield
        finally:
            await task.close()

    async def enrich(self, entries: Sequence[Entry]) -> list[Output | Exception]:
        """As Handling.enrich."""
        return await self._in_lifespan().handling.enrich(entries)

    def _in_lifespan(self) -> _Open:
        assert self._opened is not None, "within the lifespan"  # noqa: S101
        return self._opened

    def _tell_what_is_missing(self) -> None:
        settings = self._settings
        if self._vault is None and settings.enricher.snapshot_days:
            log.warning("no [vault] keys: deletions will not say what was last known")
        if not settings.bitrix24.listed and not any(
            portal.rest_webhook for portal in settings.portals
        ):
            log.warning(
                "no portal can be asked: events go out without texts and fields",
                mend="set [bitrix24] client_id, or rest_webhook of [[portals]]",
            )
