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
from redis.exceptions import ResponseError

from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.emission import Emission
from consumers.runtime.gate import Gate
from consumers.runtime.hand import Hand
from consumers.runtime.held import Held, Source
from consumers.runtime.metrics import Metrics
from consumers.runtime.place import Place
from consumers.runtime.scripts import Scripts
from consumers.runtime.transforms import Output
from consumers.runtime.verdicts import Backoff
from gateway.connections import AWAY
from gateway.contract import DeadLetter
from gateway.ending import end

__all__ = ["DeadLetterLimitReached", "LeftPending", "Settlement"]

log = structlog.get_logger()

_BACKOFF: Final = Backoff(first_s=0.1, most_s=2.0)


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
        hand: Hand,
        *,
        rate: DeadLetterRate,
        max_dead_letters: int,
        metrics: Metrics,
        gate: Gate,
        emission: Emission | None = None,
    ) -> None:
        self._place = place
        self._epoch = epoch
        self._scripts = scripts
        self._hand = hand
        self._rate = rate
        self._max_dead_letters = max_dead_letters
        self._metrics = metrics
        self._gate = gate
        self._emission = emission
        self._shared: list[bytes] = []
        self._own: list[bytes] = []
        self._waiting = asyncio.Event()
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def acknowledge(self, held: Sequence[Held]) -> None:
        """Acknowledge with the next batch; handled entries count against dead letters."""
        for one in held:
            (self._own if one.source.is_own else self._shared).append(one.id)
        self._rate.handled(time.monotonic(), len(held))
        self._waiting.set()

    def emit(self, done: Sequence[tuple[Held, Output]]) -> None:
        """Write what these became and acknowledge them, in the order in which they are given."""
        assert self._emission is not None  # noqa: S101 - a consumer that transforms has an output
        self._emission.emit(done)
        self._rate.handled(time.monotonic(), len(done))

    def drop(self, source: Source, entry_id: bytes) -> None:
        """Acknowledge an entry that nobody handles, with the next batch."""
        self._hand.add(source, entry_id, None)
        (self._own if source.is_own else self._shared).append(entry_id)
        self._waiting.set()

    async def bury_held(
        self, held: Held, *, reason: str, error: str, traceback: str, attempts: int
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
            failed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            traceback=traceback,
        )
        await self.bury(held.source, held.id, letter, event_id=held.entry.event.id)

    async def bury(
        self, source: Source, entry_id: bytes, letter: DeadLetter, *, event_id: str | None
    ) -> None:
        """Move the entry of a source to the dead letters, trying until the server has done it.

        Raises DeadLetterLimitReached, and LeftPending.
        """
        if not self._rate.allows(time.monotonic()):
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
            except (*AWAY, ResponseError) as error:
                failures += 1
                log.warning("dead letter waits for Redis", event_id=event_id, error=str(error))
                if self._gate.is_closed:
                    raise LeftPending from error
                await asyncio.sleep(_BACKOFF.pause_s(failures))
        if not is_ours:
            self._gate.close()
            raise LeftPending
        self._rate.buried(time.monotonic())
        self._metrics.buried(letter.reason)
        self._hand.settle(source, (entry_id,))
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
        """Write and acknowledge what is left, if the server can be reached in time."""
        if self._emission is not None:
            await self._emission.close(timeout_s)
        self._closing = True
        self._waiting.set()
        _done, late = await asyncio.wait((self._task,), timeout=timeout_s)
        if late:
            await end(self._task)
            log.warning("entries were not acknowledged and come again", entries=len(self._hand))

    async def _run(self) -> None:
        """Send what has gathered while the last batch was under way."""
        failures = 0
        while not (self._closing and not self._shared and not self._own):
            await self._waiting.wait()
            self._waiting.clear()
            shared, own = self._shared, self._own
            if not shared and not own:
                continue
            self._shared, self._own = [], []
            try:
                is_ours = await self._scripts.ack(
                    (self._place.lease, self._place.shared.key, self._place.own.key),
                    epoch=self._epoch,
                    group=self._place.group,
                    ids=shared,
                    redelivered_ids=own,
                )
            except (*AWAY, ResponseError) as error:
                failures += 1
                log.warning("acknowledging failed", entries=len(shared), error=str(error))
                self._shared, self._own = shared + self._shared, own + self._own
                self._waiting.set()
                await asyncio.sleep(_BACKOFF.pause_s(failures))
                continue
            failures = 0
            if not is_ours:
                self._gate.close()
                return
            self._hand.settle(self._place.shared, shared)
            self._hand.settle(self._place.own, own)
