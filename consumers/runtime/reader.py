"""Reads a partition: heals what it finds broken, then pending entries, then new ones."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers.runtime.bringing_back import LOOK_S, MAX_ASIDE, bring_back
from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_groups import ensure_groups
from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.gate import Gate
from consumers.runtime.group_progress import Progress
from consumers.runtime.in_flight import InFlight
from consumers.runtime.intake import Admission
from consumers.runtime.lost_entries import tell_missing
from consumers.runtime.lua_scripts import Acquired, Inspection, Kept, Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.partition_keys import Place
from consumers.runtime.pending_entries import OWNER, recover
from gateway.background import Errands
from gateway.backoff import Backoff
from gateway.contract import DeadLetter, EntryId
from gateway.redis_access.connections import AWAY, AWAY_OR_REFUSING
from gateway.redis_access.entry_count import count_entries

__all__ = ["Pace", "Reader"]

log = structlog.get_logger()

_MAX_COUNT: Final = 1000
"""Entries of one read: at 10 KB each the reply stays under the usual output buffer limits."""

_DEAD_LETTERS_READ: Final = 100
"""Dead letters of one look at a partition's recent ones, each of which may hold a long comment."""

_BACKOFF: Final = Backoff(first_s=0.2, limit_s=5.0)


class Pace(Struct, frozen=True):
    """How long a read may block, and how often the server is asked how the group stands."""

    block_s: float
    inspect_s: float


class Reader:
    """The one reader of a partition; everything it does on the server, it does in turn.

    So nothing is under way when it compares what is pending there with what is in hand here.
    """

    def __init__(
        self,
        consumer: Consumer,
        place: Place,
        *,
        known: Acquired | None,
        connect: Callable[[str], Awaitable[Redis]],
        scripts: Scripts,
        gate: Gate,
        in_flight: InFlight,
        rate: DeadLetterRate,
        metrics: Metrics,
        outages: Outages,
        pace: Callable[[], Pace],
    ) -> None:
        self._consumer = consumer
        self._place = place
        self._delivered = known.position if known else None
        self._highest = EntryId(0)
        self._connect = connect
        self._scripts = scripts
        self._gate = gate
        self._in_flight = in_flight
        self._rate = rate
        self._metrics = metrics
        self._outages = outages
        self._outage = outages.of("reading failed", stream=place.shared.key, group=place.group)
        self._pace = pace
        self._progress = Progress(known.missed_count if known else None)
        self._counting = Errands("counting a lag")
        self._client: Redis | None = None
        self._connection_id = 0
        self._inspect_at = 0.0
        self.stepped_at = time.monotonic()
        self.is_connected = False

    @property
    def kept(self) -> Kept:
        """What the next owner has to know: how far the group is through, what is known to miss."""
        return Kept(self._place.shared.name, self._position, self._progress.missed_count)

    @property
    def _position(self) -> str:
        """The last entry that the group is through with, all before it included; or empty."""
        oldest = self._in_flight.oldest(self._place.shared)
        return str(EntryId.of(oldest).previous) if oldest is not None else self._delivered or ""

    async def run(self, admission: Admission) -> None:
        """Read until the gate closes; what fails is begun anew after a growing pause.

        Raises OperatorError if the server denies this user from the start what it has to do, and
        what `admission` raises.
        """
        failures = 0
        try:
            while not self._gate.is_closed:
                try:
                    await self._begin(admission)
                    while await self._step(admission):
                        failures = 0
                except AWAY_OR_REFUSING as error:
                    failures += 1
                    await self._pause(error, _BACKOFF.delay_s(failures))
        finally:
            self._outage.forget()
            await self._disconnect()

    async def unblock(self, reading: asyncio.Task[None]) -> None:
        """End a blocking read early, once the gate is closed; returns when `reading` has ended.

        Where the user may not do that, the read ends by itself. A read is never cancelled: the
        server would hand out entries that nobody receives.
        """
        while not reading.done():
            client = self._client
            if client is not None and self._connection_id:
                with suppress(*AWAY_OR_REFUSING):
                    await client.client_unblock(self._connection_id)
                if client is not self._client:
                    # Closed while this was on its way, which opened a connection again.
                    await client.aclose()
            await asyncio.wait((reading,), timeout=0.2)

    async def _begin(self, admission: Admission) -> None:
        await self._disconnect()
        if not await admission.room():
            return
        self._client = client = await self._connect(self._place.shared.key)
        self._connection_id = await client.client_id()
        await ensure_groups(
            client, self._place, start=self._consumer.start, known=self._position or None
        )
        inspection = await self._inspection()
        lost = self._progress.begin(inspection)
        if self._progress.lag is None:
            self._counting.begin(self._count(client, inspection))
        await self._tell(inspection, lost)
        self._delivered = inspection.delivered_id
        if self._rate.needs_history(self._place.partition):
            await self._count_dead_letters(client, inspection.now_ms)
        await self._rehearse()
        await self._recover(client, admission)
        self.is_connected = True

    async def _step(self, admission: Admission) -> bool:
        """One read; False when the gate has closed."""
        room = await admission.room()
        client = self._client
        if not room or client is None:
            return False
        if time.monotonic() >= self._inspect_at:
            await self._inspect(client, admission)
        block_s = self._pace().block_s
        if self._in_flight.aside_count:
            block_s = min(block_s, LOOK_S)
            await bring_back(client, self._place.group, self._in_flight, admission)
            room = self._in_flight.room()
            if not room or self._in_flight.aside_count >= MAX_ASIDE:
                self.stepped_at = time.monotonic()
                await self._gate.closed(LOOK_S)
                return True
        place = self._place
        reply: Any = await client.xreadgroup(
            place.group,
            OWNER,
            {place.shared.key: ">", place.own.key: ">"},
            count=min(room, _MAX_COUNT),
            block=int(block_s * 1000),
        )
        self.stepped_at = time.monotonic()
        self._outage.over()
        self._outages.worked()
        if self._gate.is_closed:
            return False
        if page := reply.get(place.own.key.encode()):
            await admission.take(place.own, page, {})
        if page := reply.get(place.shared.key.encode()):
            self._progress.read(len(page))
            self._delivered = page[-1][0].decode()
            is_new = EntryId.of(page[0][0]) > self._highest
            self._highest = max(self._highest, EntryId.of(self._delivered))
            if is_new:
                await admission.take_new(place.shared, page)
            else:  # the server has forgotten that it delivered these before
                await admission.take(place.shared, page, {})
        return True

    async def _inspect(self, client: Redis, admission: Admission) -> None:
        inspection = await self._inspection()
        # Given by the server, and never seen here: they were read, not lost.
        stranded = inspection.pending_count - self._in_flight.count(self._place.shared)
        self._progress.read(max(0, stranded))
        await self._tell(inspection, self._progress.inspected(inspection))
        if inspection.pending_count + inspection.redelivery_count > len(self._in_flight):
            await self._recover(client, admission)

    async def _recover(self, client: Redis, admission: Admission) -> None:
        for source in (self._place.shared, self._place.own):
            await recover(
                client,
                source,
                self._place.group,
                self._in_flight,
                admission,
                buries_crashed=self._consumer.buries_crashed,
            )

    async def _count(self, client: Redis, inspection: Inspection) -> None:
        """Count what was left at an inspection, on the side: millions of entries take seconds."""
        first, last = f"({inspection.delivered_id}", inspection.last_id
        with suppress(*AWAY_OR_REFUSING):  # the next beginning counts again
            left = await count_entries(client, self._place.shared.key, first, last)
            self._progress.counted(left)
            self._metrics.lags(self._place.partition, self._progress.lag)

    async def _rehearse(self) -> None:
        """Find out whether this user may all that follows, before anything is handled."""
        place = self._place
        output = (place.output, place.emitted) if place.output else ()
        keys = (place.lease, place.shared.key, place.own.key, place.dead, *output)
        await self._scripts.rehearse(keys, group=place.group)

    async def _inspection(self) -> Inspection:
        place = self._place
        inspection = await self._scripts.inspect(
            (place.shared.key, place.own.key, place.dead), group=place.group
        )
        self._inspect_at = time.monotonic() + self._pace().inspect_s
        return inspection

    async def _tell(self, inspection: Inspection, missing: int) -> None:
        oldest_s = 0.0
        if inspection.oldest_pending_id:
            oldest_ms = EntryId.of(inspection.oldest_pending_id).ms
            oldest_s = max(0.0, (inspection.now_ms - oldest_ms) / 1000)
        self._metrics.stands(
            self._place.partition,
            lag=self._progress.lag,
            pending=inspection.pending_count + inspection.redelivery_count,
            oldest_s=oldest_s,
            dead=inspection.dead_count,
        )
        if missing:
            await tell_missing(
                self._scripts, self._place, self._metrics, missing, first_id=inspection.first_id
            )

    async def _count_dead_letters(self, client: Redis, now_ms: int) -> None:
        start = str(max(now_ms - int(self._rate.limit.window_s * 1000), 0))
        is_more = True
        while is_more:
            letters: Any = await client.xrange(
                self._place.dead, start, "+", count=_DEAD_LETTERS_READ
            )
            for letter_id, fields in letters:
                age_s = (now_ms - EntryId.of(letter_id).ms) / 1000
                self._rate.buried(time.monotonic() - age_s, DeadLetter.of(fields).reason)
                start = f"({letter_id.decode()}"
            is_more = len(letters) == _DEAD_LETTERS_READ

    async def _pause(self, error: Exception, pause_s: float) -> None:
        self.is_connected = False
        self._metrics.read_failed()
        self._outage.failed(error)
        self.stepped_at = time.monotonic()
        await self._gate.closed(pause_s)

    async def _disconnect(self) -> None:
        await self._counting.close()
        client, self._client, self._connection_id = self._client, None, 0
        if client is not None:
            with suppress(*AWAY):
                await client.aclose()
