"""Reads a partition: heals what it finds broken, then pending entries, then new ones.

On hold it reads nothing, and only looks how the group stands.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_groups import ensure_groups
from consumers.runtime.delivered_entries import DeliveredEntries
from consumers.runtime.group_inspection import GroupInspection
from consumers.runtime.intake import Intake
from consumers.runtime.joint_reading import JointConnection
from consumers.runtime.lua_scripts import Acquired, LeaseNote
from consumers.runtime.pending_entries import LOOK_ASIDE_S, MAX_ASIDE
from consumers.runtime.reader_connection import ReaderConnection
from consumers.runtime.stream_pages import Pages
from consumers.runtime.tenure import Tenure
from gateway.backoff import Backoff
from gateway.contract import EntryId
from gateway.ending import end
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["ReadPace", "Reader"]

log = structlog.get_logger()

_MAX_COUNT: Final = 1000
"""Entries of one read: at 10 KB each the reply stays under the usual output buffer limits."""

_HELD_S: Final = 1.0
"""How often it is looked, on hold, whether anything is to be done."""

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
        connection: ReaderConnection | JointConnection,
        pace: Callable[[], ReadPace],
    ) -> None:
        self._consumer = consumer
        self._tenure = tenure
        self._keys = tenure.keys
        self._gate = tenure.gate
        self._in_flight = tenure.in_flight
        self._connection = connection
        self._pace = pace
        self._delivered = former.position if former else None
        self._highest = EntryId(0)
        self._outage = tenure.outages.of(
            "reading failed", stream=self._keys.shared.key, group=self._keys.group
        )
        self._inspection = GroupInspection(tenure, former=former, every_s=lambda: pace().inspect_s)
        self._unsettled_count = 0
        self._is_resumed = False
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

    async def run(self, intake: Intake, delivered: DeliveredEntries) -> None:
        """Read until the gate closes; what fails is begun anew after a growing pause.

        Raises OperatorError if the server denies this user from the start what it has to do, and
        what `intake` raises.
        """
        failures = 0
        try:
            while not self._gate.is_closed:
                try:
                    await self._begin(intake)
                    while await self._step(intake, delivered):
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
                    await self._connection.end_block()
                    await asyncio.wait((reading,), timeout=0.2)
        except TimeoutError:
            log.warning("the last read was not answered", stream=self._keys.shared.key)
            await end(reading)

    async def _begin(self, intake: Intake) -> None:
        await self._disconnect()
        if not self._gate.is_on_hold and not await intake.room():
            return
        client = await self._connection.open()
        is_new = await ensure_groups(
            client, self._keys, start=self._consumer.start, known=self._position or None
        )
        inspection = await self._inspection.begin(client)
        self._delivered = inspection.delivered_id
        if self._tenure.rate.needs_history(self._keys.partition):
            await self._inspection.recall_dead_letters(client, now_ms=inspection.now_ms)
        await self._rehearse()
        await self._tenure.scripts.open_balance(self._keys, is_new=is_new)
        await self._tenure.failures.inherit()
        self._unsettled_count, self._is_resumed = inspection.unsettled_count, False

    async def _step(self, intake: Intake, delivered: DeliveredEntries) -> bool:
        """One read; False when the gate has closed."""
        client = self._connection.client
        if self._gate.is_on_hold and client is not None:
            return await self._hold(client, delivered)
        room = await intake.room()
        if not room or client is None:
            return self._gate.is_on_hold and client is not None
        if not self._is_resumed:
            await self._resume(client, delivered)
        if self._inspection.is_due:
            inspection = await self._inspection.inspect()
            self._unsettled_count = inspection.unsettled_count
            if self._unsettled_count > self._in_flight.delivered_count:
                await self._resume(client, delivered)
        block_s = await delivered.bring_back(client, block_s=self._pace().block_s)
        room = self._in_flight.room()
        if not room or self._in_flight.aside_count >= MAX_ASIDE:
            self.stepped_at = time.monotonic()
            await self._gate.closed(LOOK_ASIDE_S)
            return True
        if not self._gate.admits_read(block_s or 0.0):
            return True  # it may have taken long to look so far
        reply = await self._read(count=min(room, _MAX_COUNT), block_s=block_s)
        if self._gate.is_closed:
            return False
        await self._take(reply, intake)
        return True

    async def _hold(self, client: Redis, delivered: DeliveredEntries) -> bool:
        """Read nothing for a moment; False when the gate has closed."""
        self.is_connected = True
        self._tenure.outages.worked()
        if self._inspection.is_due:
            # Before it was resumed, what is pending was read by others.
            if self._is_resumed:
                await self._inspection.inspect()
            else:
                await self._inspection.begin(client)
        else:
            await client.ping()
        self._outage.over()
        await delivered.uncount()
        self.stepped_at = time.monotonic()
        await self._gate.closed(_HELD_S)
        return not self._gate.is_closed

    async def _read(self, *, count: int, block_s: float | None) -> Pages:
        keys = self._keys
        reply = await self._connection.read(
            keys.group, (keys.shared.key, keys.redeliveries.key), count=count, block_s=block_s
        )
        self.stepped_at = time.monotonic()
        self._outage.over()
        self._tenure.outages.worked()
        return reply

    async def _take(self, reply: Pages, intake: Intake) -> None:
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

    async def _resume(self, client: Redis, delivered: DeliveredEntries) -> None:
        await delivered.resume(client, unsettled_count=self._unsettled_count)
        self._is_resumed = not self._gate.is_on_hold
        self.is_connected = True

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
        await self._connection.close()
