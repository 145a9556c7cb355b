"""Takes in the entries of a stream: decodes each, and has it handled, buried or passed over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from consumers.runtime.batches import Batches
from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import Entry, HeldEntry, Source
from consumers.runtime.gatherings import Gatherings
from consumers.runtime.intervening import Intervening
from consumers.runtime.joint_batches import JointBatches
from consumers.runtime.lanes import Lanes
from consumers.runtime.pending_entries import Fields
from consumers.runtime.redaction import describe
from consumers.runtime.settlement import Settlement
from consumers.runtime.tenure import Tenure
from gateway.contract import (
    EVENT_FIELD,
    KIND_FIELD,
    REPLAY_KIND,
    DeadLetter,
    InvalidEvent,
    Redelivery,
    past_deaths,
    timestamps,
)

__all__ = ["Intake"]

log = structlog.get_logger()


class Intake:
    """Takes entries for one partition: undecodable ones are buried, unwanted ones acknowledged."""

    def __init__(
        self,
        consumer: Consumer,
        tenure: Tenure,
        *,
        work: Lanes | Batches | JointBatches | Gatherings,
        settlement: Settlement,
        intervening: Intervening,
        block_s: Callable[[], float],
    ) -> None:
        self._consumer = consumer
        self._tenure = tenure
        self._place = tenure.keys.partition, tenure.epoch
        self._gate = tenure.gate
        self._in_flight = tenure.in_flight
        self._work = work
        self._settlement = settlement
        self._intervening = intervening
        self._block_s = block_s
        self._gate.on_change(self._in_flight.changed.set)

    async def room(self) -> int:
        """Wait until entries may be taken, and say how many; 0 if none any more, or on hold.

        The lease has to outlast a blocking read: its new owner would not see what comes of that.
        """
        while not self._gate.is_closed and not self._gate.is_on_hold:
            room = self._in_flight.room()
            if room and self._gate.holds_for(self._block_s()):
                return room
            self._in_flight.changed.clear()
            await self._in_flight.changed.wait()
        return 0

    async def take(
        self,
        source: Source,
        page: Sequence[tuple[bytes, Fields]],
        deliveries: Mapping[bytes, int],
        *,
        may_wait: bool = True,
    ) -> None:
        """Take entries in hand, or park them if they `may_wait`; without fields they are lost."""
        for entry_id, fields in page:
            if not self._is_known(source, entry_id, fields):
                one = entry_id, fields, deliveries.get(entry_id, 1)
                await self._take(source, (one,), may_wait=may_wait)

    async def take_new(self, source: Source, page: Sequence[tuple[bytes, Fields]]) -> None:
        """Take entries whose ids are higher than all before, which nobody can have had yet."""
        await self._take(source, ((entry_id, fields, 1) for entry_id, fields in page))

    async def _take(
        self, source: Source, page: Iterable[tuple[bytes, Fields, int]], *, may_wait: bool = True
    ) -> None:
        admit = self._admit
        parks = self._intervening.parks if may_wait and self._intervening.may_park else None
        taken: list[HeldEntry] = []
        for entry_id, fields, deliveries in page:
            admitted = admit(source, entry_id, fields, deliveries)
            if isinstance(admitted, HeldEntry):
                if parks is None or not parks(admitted):
                    taken.append(admitted)
                continue
            # Those before it come first, and need not wait for Redis to take a letter.
            self._hand_over(source, taken)
            taken = []
            await self._dispose(source, entry_id, admitted)
        self._hand_over(source, taken)

    def _hand_over(self, source: Source, taken: Sequence[HeldEntry]) -> None:
        if taken:
            self._work.submit(self._in_flight.offer(source, taken))

    async def _dispose(self, source: Source, entry_id: bytes, letter: DeadLetter | None) -> None:
        """Be rid of an entry that is not handled."""
        if letter is not None:
            await self._settlement.bury(source, entry_id, letter, event_id=None)
        else:
            self._settlement.drop(source, entry_id)

    def take_back(self, source: Source, entry_id: bytes, fields: Fields, deliveries: int) -> None:
        """Take an entry that was set aside."""
        admitted = self._admit(source, entry_id, fields, deliveries)
        if isinstance(admitted, HeldEntry):
            self._in_flight.add(source, entry_id, admitted)
            self._work.submit((admitted,))
        elif admitted is None:
            self._settlement.drop(source, entry_id)

    def pass_over(self, source: Source, entry_id: bytes) -> None:
        """Forget an entry that was set aside, and erased meanwhile."""
        self._settlement.drop(source, entry_id)

    async def take_alone(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        """Take an entry while no other is handled; its first attempt has ended on return."""
        admitted = self._admit(source, entry_id, fields, deliveries)
        if isinstance(admitted, HeldEntry):
            self._in_flight.add(source, entry_id, admitted)
            if (await self._intervening.passed((admitted,))).held:
                await self._work.alone(admitted)
        else:
            await self._dispose(source, entry_id, admitted)

    async def condemn(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        """Make a dead letter of an entry that ended too many processes."""
        if not fields:
            self._lost(source, entry_id)
            self._settlement.drop(source, entry_id)
            return
        error = f"{deliveries} processes took it in hand and ended before they reported back"
        letter = _letter(
            self._tenure.keys.group,
            source,
            entry_id,
            fields,
            reason="crashed",
            error=error,
            attempts=deliveries,
        )
        await self._settlement.bury(source, entry_id, letter, event_id=None)

    def _admit(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> HeldEntry | DeadLetter | None:
        """The entry to be taken, or what it becomes instead; None if it is to be dropped."""
        if not fields:
            self._lost(source, entry_id)
            return None
        try:
            raw, event = self._tenure.read_event(fields.get(EVENT_FIELD, b""))
        except InvalidEvent as error:
            return _letter(
                self._tenure.keys.group,
                source,
                entry_id,
                fields,
                reason="undecodable",
                error=describe(error),
                attempts=0,
            )
        if not self._consumer.wants(event):
            self._tenure.metrics.ignored(1)
            return None
        if source.is_redelivery:
            stream, original_id, is_replay = _origin(fields)
        else:
            stream, original_id = source.name, entry_id.decode()
            is_replay = fields.get(KIND_FIELD) == REPLAY_KIND
        partition, epoch = self._place
        held = HeldEntry(
            source=source,
            id=entry_id,
            entry=Entry(
                stream=stream,
                partition=partition,
                epoch=epoch,
                id=original_id,
                event=event,
                raw=raw,
                deliveries=deliveries,
                is_replay=is_replay,
            ),
            history=fields.get(b"history", b"") if source.is_redelivery else b"",
        )
        if self._consumer.retries is not None:
            self._tenure.failures.continue_with(held)
        return held

    def _is_known(self, source: Source, entry_id: bytes, fields: Fields) -> bool:
        """Whether an entry that comes again is in hand still, or was handled a moment ago."""
        if self._in_flight.has(source, entry_id):
            return True
        was_handled = self._in_flight.was_handled(source, entry_id, fields.get(EVENT_FIELD))
        if was_handled:
            self._tenure.metrics.repeated(1)
            self._settlement.drop(source, entry_id)
        return was_handled

    def _lost(self, source: Source, entry_id: bytes) -> None:
        """The entry was trimmed or deleted while it was pending: nobody can handle it any more."""
        self._tenure.metrics.lost("payload", 1)
        log.error("payload lost", stream=source.key, entry_id=entry_id.decode())


def _letter(
    group: str,
    source: Source,
    entry_id: bytes,
    fields: Fields,
    *,
    reason: str,
    error: str,
    attempts: int,
) -> DeadLetter:
    stream, original_id = source.name, entry_id.decode()
    if source.is_redelivery:
        stream, original_id, _is_replay = _origin(fields)
    return DeadLetter(
        event=fields.get(EVENT_FIELD, b""),
        group=group,
        stream=stream,
        entry_id=original_id,
        attempts=attempts,
        reason=reason,
        error=error,
        failed_at=timestamps.milliseconds_of(datetime.now(UTC)),
        history=past_deaths(fields.get(b"history", b"")),
    )


def _origin(fields: Fields) -> tuple[str, str, bool]:
    """The stream and id where a redelivered event first stood, and whether to keep silent."""
    again = Redelivery.of(fields)
    return again.stream, again.entry_id, again.is_replay
