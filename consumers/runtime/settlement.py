"""Acknowledges what this process is through with in batches, and buries dead letters one by one.

Both are fenced by the epoch of the lease: a process that lost its partition without noticing can
neither acknowledge nor bury what another one now works on.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from consumers.runtime.emission import Emission
from consumers.runtime.entry import DroppedEntry, HeldEntry, Source
from consumers.runtime.handled_log import tell_handled
from consumers.runtime.outlet import Outlet, send_patiently
from consumers.runtime.tenure import Tenure
from consumers.runtime.transforms import Output
from gateway.contract import STRUCK, DeadLetter, past_deaths, timestamps
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["DeadLetterLimitReached", "LeftPending", "Settlement"]

log = structlog.get_logger()

_MAX_ACKNOWLEDGED: Final = 5000
_REST_S: Final = 0.01
"""A call for each entry would cost as much as handling it, where handlers end one by one."""
"""Entries of one script call, which takes the server about a millisecond."""


class DeadLetterLimitReached(Exception):
    """So much cannot be handled that the consumer is to blame; it stops instead of going on."""


class LeftPending(Exception):
    """The entry stays pending: another process owns the partition, or this one has to stop."""


class Settlement:
    """Takes what a partition is through with, for one tenure, and lets the server know.

    `emission` is there if the consumer transforms; it acknowledges what it has written.
    """

    def __init__(
        self, tenure: Tenure, *, max_dead_letters: int, emission: Emission | None = None
    ) -> None:
        self._tenure = tenure
        self._rate = tenure.rate
        self._max_dead_letters = max_dead_letters
        self._emission = emission
        about = {"group": tenure.keys.group, "partition": tenure.keys.partition}
        self._burying = tenure.outages.of("dead letter waits for Redis", **about)
        self._acknowledging: Outlet[HeldEntry | DroppedEntry] = Outlet(
            self._acknowledge,
            most=_MAX_ACKNOWLEDGED,
            gate=tenure.gate,
            outage=tenure.outages.of("acknowledging failed", **about),
            rest_s=_REST_S,
        )

    def acknowledge(self, held: Sequence[HeldEntry]) -> None:
        """Acknowledge with the next batch; handled entries count against dead letters."""
        self._acknowledging.put(held)
        self._rate.handled(time.monotonic(), len(held))

    def emit(self, done: Sequence[tuple[HeldEntry, Output]]) -> None:
        """Write what these became and acknowledge them, in the order in which they are given."""
        assert self._emission is not None  # noqa: S101 - a consumer that transforms has an output
        self._emission.emit(done)
        self._rate.handled(time.monotonic(), len(done))

    def failed(
        self, some: Sequence[HeldEntry], *, error: str, is_transient: bool, handler: str
    ) -> None:
        """Let operators see how the last attempt with these entries has failed."""
        self._tenure.failures.failed(some, error=error, is_transient=is_transient, handler=handler)

    def drop(self, source: Source, entry_id: bytes) -> None:
        """Acknowledge an entry that nobody handles, with the next batch."""
        self._tenure.in_flight.add(source, entry_id, None)
        self._acknowledging.put((DroppedEntry(source, entry_id),))

    async def bury_held(
        self, held: HeldEntry, *, reason: str, error: str, traceback: str, attempts: int
    ) -> None:
        """Move an entry to the dead letters; like `bury`."""
        letter = DeadLetter(
            event=held.entry.raw,
            group=self._tenure.keys.group,
            stream=held.entry.stream,
            entry_id=held.entry.id,
            attempts=attempts,
            reason=reason,
            error=error,
            failed_at=timestamps.milliseconds_of(datetime.now(UTC)),
            traceback=traceback,
            history=past_deaths(held.history),
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
                f"{letter.group} would make a dead letter of {letter.entry_id} "
                f"({letter.reason}: {letter.error}), but has made too many lately; "
                "mend what fails, then start it again"
            )
        await self._send_letter(source, entry_id, letter, event_id=event_id)
        self._rate.buried(time.monotonic(), letter.reason)
        self._tenure.metrics.buried(letter.reason)
        self._tenure.in_flight.settle(source, (entry_id,))
        tell = log.info if letter.reason == STRUCK else log.error
        tell(
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
        ends_at = time.monotonic() + timeout_s
        if self._emission is not None:
            await self._emission.close(timeout_s)
        if await self._acknowledging.close(max(0.0, ends_at - time.monotonic())):
            log.warning(
                "entries were not acknowledged and come again",
                entries=len(self._tenure.in_flight),
            )
        self._burying.forget()
        await self._tenure.failures.close(max(0.0, ends_at - time.monotonic()))

    def check(self) -> None:
        """Raise what ended the acknowledging or the writing, if nobody had foreseen it."""
        self._acknowledging.check()
        if self._emission is not None:
            self._emission.check()

    async def _send_letter(
        self, source: Source, entry_id: bytes, letter: DeadLetter, *, event_id: str | None
    ) -> None:
        keys, gate, failures = self._tenure.keys, self._tenure.gate, self._tenure.failures
        noted = failures.fields_of([(source, entry_id)])
        try:
            is_ours = await send_patiently(
                lambda: self._tenure.scripts.bury(
                    (keys.lease, source.key, keys.dead, keys.failures, keys.balance),
                    epoch=self._tenure.epoch,
                    group=keys.group,
                    entry_id=entry_id,
                    max_count=self._max_dead_letters,
                    is_redelivery=source.is_redelivery,
                    fields=letter.fields(),
                    noted="".join(noted),
                ),
                gate=gate,
                outage=self._burying,
                gives_up=lambda: gate.is_closed,
                event_id=event_id,
            )
        except AWAY_OR_REFUSING as error:
            raise LeftPending from error
        if not is_ours:
            raise LeftPending
        failures.forget(noted)

    async def _acknowledge(self, some: Sequence[HeldEntry | DroppedEntry]) -> bool:
        keys, in_flight, failures = (
            self._tenure.keys,
            self._tenure.in_flight,
            self._tenure.failures,
        )
        noted = failures.fields_of((one.source, one.id) for one in some)
        handled = [
            one.id for one in some if isinstance(one, HeldEntry) and not one.source.is_redelivery
        ]
        passed_over: list[bytes] = []
        redelivered: list[bytes] = []
        if len(handled) < len(some):
            redelivered = [one.id for one in some if one.source.is_redelivery]
            passed_over = [
                one.id
                for one in some
                if isinstance(one, DroppedEntry) and not one.source.is_redelivery
            ]
        is_ours = await self._tenure.scripts.ack(
            (keys.lease, keys.shared.key, keys.redeliveries.key, keys.failures, keys.balance),
            epoch=self._tenure.epoch,
            group=keys.group,
            ids=handled,
            passed_over_ids=passed_over,
            redelivered_ids=redelivered,
            noted=noted,
        )
        if is_ours:
            failures.forget(noted)
            tell_handled(keys.group, (one for one in some if isinstance(one, HeldEntry)))
            in_flight.settle(keys.shared, [*handled, *passed_over])
            in_flight.settle(keys.redeliveries, redelivered)
        return is_ours
