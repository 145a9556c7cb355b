"""What this process is through with: acknowledgements in batches, dead letters one by one.

Both are fenced by the epoch of the lease: a process that lost its partition without noticing can
neither acknowledge nor bury what another one now works on.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.emission import Emission
from consumers.runtime.entry import HeldEntry, Source
from consumers.runtime.gate import Gate
from consumers.runtime.handled_log import tell_handled
from consumers.runtime.in_flight import InFlight
from consumers.runtime.lua_scripts import Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.outlet import Sending
from consumers.runtime.partition_keys import Place
from consumers.runtime.transforms import Output
from gateway.backoff import Backoff
from gateway.contract import DeadLetter, timestamps
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["DeadLetterLimitReached", "LeftPending", "Settlement"]

log = structlog.get_logger()

_BACKOFF: Final = Backoff(first_s=0.1, limit_s=2.0)
_MAX_ACKNOWLEDGED: Final = 5000
"""Entries of one script call, which takes the server about a millisecond."""


class DeadLetterLimitReached(Exception):
    """So much cannot be handled that the consumer is to blame; it stops instead of going on."""


class LeftPending(Exception):
    """The entry stays pending: another process owns the partition, or this one has to stop."""


class Settlement:
    """The outlet of one partition of one owner."""

    def __init__(
        self,
        place: Place,
        epoch: int,
        scripts: Scripts,
        in_flight: InFlight,
        *,
        rate: DeadLetterRate,
        max_dead_letters: int,
        metrics: Metrics,
        gate: Gate,
        outages: Outages,
        emission: Emission | None = None,
    ) -> None:
        self._place = place
        self._epoch = epoch
        self._scripts = scripts
        self._in_flight = in_flight
        self._rate = rate
        self._max_dead_letters = max_dead_letters
        self._metrics = metrics
        self._gate = gate
        self._emission = emission
        keys = {"group": place.group, "partition": place.partition}
        self._burying = outages.of("dead letter waits for Redis", **keys)
        self._acknowledging: Sending[tuple[Source, bytes]] = Sending(
            self._acknowledge,
            most=_MAX_ACKNOWLEDGED,
            gate=gate,
            outage=outages.of("acknowledging failed", **keys),
        )

    def acknowledge(self, held: Sequence[HeldEntry]) -> None:
        """Acknowledge with the next batch; handled entries count against dead letters."""
        self._acknowledging.put([(one.source, one.id) for one in held])
        self._rate.handled(time.monotonic(), len(held))

    def emit(self, done: Sequence[tuple[HeldEntry, Output]]) -> None:
        """Write what these became and acknowledge them, in the order in which they are given."""
        assert self._emission is not None  # noqa: S101 - a consumer that transforms has an output
        self._emission.emit(done)
        self._rate.handled(time.monotonic(), len(done))

    def drop(self, source: Source, entry_id: bytes) -> None:
        """Acknowledge an entry that nobody handles, with the next batch."""
        self._in_flight.add(source, entry_id, None)
        self._acknowledging.put(((source, entry_id),))

    async def bury_held(
        self, held: HeldEntry, *, reason: str, error: str, traceback: str, attempts: int
    ) -> None:
        """Move an entry to the dead letters; like `bury`."""
        letter = DeadLetter(
            event=held.entry.raw,
            group=self._place.group,
            stream=held.entry.stream,
            entry_id=held.entry.id,
            attempts=attempts,
            reason=reason,
            error=error,
            failed_at=timestamps.milliseconds_of(datetime.now(UTC)),
            traceback=traceback,
        )
        await self.bury(held.source, held.id, letter, event_id=held.entry.event.id)

    async def bury(
        self, source: Source, entry_id: bytes, letter: DeadLetter, *, event_id: str | None
    ) -> None:
        """Move the entry of a source to the dead letters, trying until the server has done it.

        Raises DeadLetterLimitReached, and LeftPending.
        """
        if not self._rate.allows(time.monotonic(), letter.reason):
            raise DeadLetterLimitReached(
                f"{self._place.group} would make a dead letter of {letter.entry_id} "
                f"({letter.reason}: {letter.error}), but has made too many lately; "
                "mend what fails, then start it again"
            )
        failures = 0
        while True:
            try:
                is_ours = await self._scripts.bury(
                    (self._place.lease, source.key, self._place.dead),
                    epoch=self._epoch,
                    group=self._place.group,
                    entry_id=entry_id,
                    max_count=self._max_dead_letters,
                    is_own=source.is_own,
                    fields=letter.fields(),
                )
                break
            except AWAY_OR_REFUSING as error:
                failures += 1
                self._burying.failed(error, event_id=event_id)
                if self._gate.is_closed:
                    raise LeftPending from error
                await asyncio.sleep(_BACKOFF.delay_s(failures))
        self._burying.over()
        if not is_ours:
            self._gate.close()
            raise LeftPending
        self._rate.buried(time.monotonic(), letter.reason)
        self._metrics.buried(letter.reason)
        self._in_flight.settle(source, (entry_id,))
        log.error(
            "dead letter",
            group=letter.group,
            stream=letter.stream,
            entry_id=letter.entry_id,
            event_id=event_id,
            attempts=letter.attempts,
            reason=letter.reason,
            error=letter.error,
        )

    async def close(self, timeout_s: float) -> None:
        """Write and acknowledge what is left, if the server can be reached in time.

        Raises nothing, and may be repeated.
        """
        if self._emission is not None:
            await self._emission.close(timeout_s)
        if await self._acknowledging.close(timeout_s):
            log.warning(
                "entries were not acknowledged and come again", entries=len(self._in_flight)
            )
        self._burying.forget()

    def check(self) -> None:
        """Raise what ended the acknowledging or the writing, if nobody had foreseen it."""
        self._acknowledging.check()
        if self._emission is not None:
            self._emission.check()

    async def _acknowledge(self, some: Sequence[tuple[Source, bytes]]) -> bool:
        place = self._place
        shared = [entry_id for source, entry_id in some if not source.is_own]
        own = [entry_id for source, entry_id in some if source.is_own]
        is_ours = await self._scripts.ack(
            (place.lease, place.shared.key, place.own.key),
            epoch=self._epoch,
            group=place.group,
            ids=shared,
            redelivered_ids=own,
        )
        if is_ours:
            tell_handled(place.group, (self._in_flight.held(source, one) for source, one in some))
            self._in_flight.settle(place.shared, shared)
            self._in_flight.settle(place.own, own)
        return is_ours
