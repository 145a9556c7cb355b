"""Reads a partition: heals what it finds broken, then pending entries, then new ones."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_groups import ensure_groups
from consumers.runtime.group_inspection import GroupInspection
from consumers.runtime.intake import Intake
from consumers.runtime.lua_scripts import Acquired, LeaseNote
from consumers.runtime.pending_entries import LOOK_ASIDE_S, MAX_ASIDE, OWNER, bring_back, resume
from consumers.runtime.stream_pages import pages_of
from consumers.runtime.tenure import Tenure
from gateway.backoff import Backoff
from gateway.contract import EntryId
from gateway.ending import end
from gateway.redis_access.connections import AWAY, AWAY_OR_REFUSING

__all__ = ["ReadPace", "Reader"]

log = structlog.get_logger()

_MAX_COUNT: Final = 1000
"""Entries of one read: at 10 KB each the reply stays under the usual output buffer limits."""

_BACKOFF: Final = Backoff(first_s=0.2, limit_s=5.0)


class ReadPace(Struct, frozen=True):
    """How long a read may block, and how often the server is asked how the group stands."""

    block_s: float
    inspect_s: float


class Reader:
    """Reads a partition, as its only reader; everything it does on the server, it does in turn.

    So nothing is under way when it compares what is pending there with what is in hand here.
    `former` is what the last owner of the partition has left, if it read the same stream.
    """

    def __init__(
        self,
        consumer: Consumer,
        tenure: Tenure,
        *,
        former: Acquired | None,
        connect: Callable[[str], Awaitable[Redis]],
        pace: Callable[[], ReadPace],
    ) -> None:
        self._consumer = consumer
        self._tenure = tenure
        self._keys = tenure.keys
        self._gate = tenure.gate
        self._in_flight = tenure.in_flight
        self._connect = connect
        self._pace = pace
        self._delivered = former.position if former else None
        self._highest = EntryId(0)
        self._outage = tenure.outages.of(
            "reading failed", stream=self._keys.shared.key, group=self._keys.group
        )
        self._inspection = GroupInspection(
            tenure,
            former=former,
            every_s=lambda: pace().inspect_s,
        )
        self._client: Redis | None = None
        self._connection_id = 0
        self.stepped_at = time.monotonic()
        self.is_connected = False

    @property
    def kept(self) -> LeaseNote:
        """What the next owner has to know: how far the group is through, what is known to miss."""
        return LeaseNote(self._keys.shared.name, self._position, *self._inspection.told)

    @property
    def _position(self) -> str:
        """The last entry that the group is through with, all before it included; or empty."""
        oldest = self._in_flight.oldest(self._keys.shared)
        return str(EntryId.of(oldest).previous) if oldest is not None else self._delivered or ""

    async def run(self, intake: Intake) -> None:
        """Read until the gate closes; what fails is begun anew after a growing pause.

        Raises OperatorError if the server denies this user from the start what it has to do, and
        what `intake` raises.
        """
        failures = 0
        try:
            while not self._gate.is_closed:
                try:
                    await self._begin(intake)
                    while await self._step(intake):
                        failures = 0
                except AWAY_OR_REFUSING as error:
                    failures += 1
                    await self._pause(error, _BACKOFF.delay_s(failures))
        finally:
            self._outage.forget()
            await self._disconnect()

    async def unblock(self, reading: asyncio.Task[None], *, within_s: float) -> None:
        """End a blocking read early, once the gate is closed; returns when `reading` has ended.

        Where the user may not do that, the read ends by itself. It is cancelled only if the server
        has not answered in time: it may hand out entries then that nobody receives, and the next
        owner finds them pending.
        """
        try:
            async with asyncio.timeout(within_s):
                while not reading.done():
                    await self._end_block()
                    await asyncio.wait((reading,), timeout=0.2)
        except TimeoutError:
            log.warning("the last read was not answered", stream=self._keys.shared.key)
            await end(reading)

    async def _end_block(self) -> None:
        client = self._client
        if client is not None and self._connection_id:
            with suppress(*AWAY_OR_REFUSING):
                await client.client_unblock(self._connection_id)
            if client is not self._client:
                # Closed while this was on its way, which opened a connection again.
                await client.aclose()

    async def _begin(self, intake: Intake) -> None:
        await self._disconnect()
        if not await intake.room():
            return
        self._client = client = await self._connect(self._keys.shared.key)
        client.set_response_callback("XREADGROUP", pages_of)
        self._connection_id = await client.client_id()
        await ensure_groups(
            client, self._keys, start=self._consumer.start, known=self._position or None
        )
        inspection = await self._inspection.begin(client)
        self._delivered = inspection.delivered_id
        if self._tenure.rate.needs_history(self._keys.partition):
            await self._inspection.recall_dead_letters(client, now_ms=inspection.now_ms)
        await self._rehearse()
        await self._tenure.failures.inherit()
        await self._resume(client, intake)
        self.is_connected = True

    async def _step(self, intake: Intake) -> bool:
        """One read; False when the gate has closed."""
        room = await intake.room()
        client = self._client
        if not room or client is None:
            return False
        if self._inspection.is_due:
            inspection = await self._inspection.inspect()
            if inspection.pending_count + inspection.redelivery_count > len(self._in_flight):
                await self._resume(client, intake)
        block_s = self._pace().block_s
        if self._in_flight.aside_count:
            block_s = min(block_s, LOOK_ASIDE_S)
            await bring_back(client, self._keys.group, self._in_flight, intake)
            room = self._in_flight.room()
            if not room or self._in_flight.aside_count >= MAX_ASIDE:
                self.stepped_at = time.monotonic()
                await self._gate.closed(LOOK_ASIDE_S)
                return True
        reply = await self._read(client, count=min(room, _MAX_COUNT), block_s=block_s)
        if self._gate.is_closed:
            return False
        await self._take(reply, intake)
        return True

    async def _read(self, client: Redis, *, count: int, block_s: float) -> Any:
        reply: Any = await client.xreadgroup(
            self._keys.group,
            OWNER,
            {self._keys.shared.key: ">", self._keys.redeliveries.key: ">"},
            count=count,
            block=int(block_s * 1000),
        )
        self.stepped_at = time.monotonic()
        self._outage.over()
        self._tenure.outages.worked()
        return reply

    async def _take(self, reply: Any, intake: Intake) -> None:
        shared, redeliveries = self._keys.shared, self._keys.redeliveries
        if page := reply.get(redeliveries.key.encode()):
            await intake.take(redeliveries, page, {})
        if page := reply.get(shared.key.encode()):
            self._inspection.read(len(page))
            self._delivered = page[-1][0].decode()
            is_new = EntryId.of(page[0][0]) > self._highest
            self._highest = max(self._highest, EntryId.of(self._delivered))
            if is_new:
                await intake.take_new(shared, page)
            else:  # the server has forgotten that it delivered these before
                await intake.take(shared, page, {})

    async def _resume(self, client: Redis, intake: Intake) -> None:
        for source in (self._keys.shared, self._keys.redeliveries):
            await resume(
                client,
                source,
                self._keys.group,
                self._in_flight,
                intake,
                buries_crashed=self._consumer.buries_crashed,
            )

    async def _rehearse(self) -> None:
        """Find out whether this user may all that follows, before anything is handled."""
        keys = self._keys
        output = (keys.output, keys.emitted) if keys.output else ()
        await self._tenure.scripts.rehearse(
            (keys.lease, keys.shared.key, keys.redeliveries.key, keys.dead, keys.failures, *output),
            group=keys.group,
        )

    async def _pause(self, error: Exception, pause_s: float) -> None:
        self.is_connected = False
        self._tenure.metrics.read_failed()
        self._outage.failed(error)
        self.stepped_at = time.monotonic()
        await self._gate.closed(pause_s)

    async def _disconnect(self) -> None:
        await self._inspection.close()
        client, self._client, self._connection_id = self._client, None, 0
        if client is not None:
            with suppress(*AWAY):
                await client.aclose()
