"""What entries became, on its way to the output: in order, once, with the acknowledgement.

An acknowledgement may come a little after an effect; an output may not. So one script writes what
an entry became, remembers that, and acknowledges the entry; fenced by the epoch of the lease, and
repeated until the server has answered. docs/decisions/0008-transforming-consumers.md has the why.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

import structlog
from redis.exceptions import ResponseError

from consumers.runtime.gate import Gate
from consumers.runtime.hand import Hand
from consumers.runtime.held import Held
from consumers.runtime.place import Place
from consumers.runtime.scripts import Emitted, Scripts
from consumers.runtime.transforms import Output
from consumers.runtime.verdicts import Backoff
from gateway.connections import AWAY
from gateway.contract import encode_event
from gateway.ending import end

__all__ = ["Emission", "emitted"]

log = structlog.get_logger()

_BACKOFF: Final = Backoff(first_s=0.1, most_s=2.0)
_MAX_ENTRIES: Final = 200
"""Entries of one script call: the server does nothing else for the two milliseconds it takes."""

_MAX_REMEMBERED: Final = 10_000
"""More than a call and what may be repeated after one; a megabyte in Redis for a partition."""


class Emission:
    """Writes what the entries of one partition became, for one owner."""

    def __init__(
        self, place: Place, epoch: int, scripts: Scripts, hand: Hand, *, gate: Gate
    ) -> None:
        self._place = place
        self._epoch = epoch
        self._scripts = scripts
        self._hand = hand
        self._gate = gate
        self._waiting: deque[tuple[Held, Output]] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def emit(self, done: Sequence[tuple[Held, Output]]) -> None:
        """Write these with the next call, behind those that were given before."""
        self._waiting.extend(done)
        self._changed.set()

    async def close(self, timeout_s: float) -> None:
        """Write what is left, if the server can be reached in time; the rest stays pending."""
        self._closing = True
        self._changed.set()
        _done, late = await asyncio.wait((self._task,), timeout=timeout_s)
        if late:
            await end(self._task)
            log.warning("entries were not written and come again", entries=len(self._waiting))

    async def _run(self) -> None:
        """Write what has gathered while the last call was under way."""
        failures = 0
        while not (self._closing and not self._waiting):
            await self._changed.wait()
            self._changed.clear()
            if not self._waiting:
                continue
            some = list(islice(self._waiting, _MAX_ENTRIES))
            place = self._place
            try:
                is_ours = await self._scripts.emit(
                    (place.lease, place.output, place.emitted, place.shared.key, place.own.key),
                    epoch=self._epoch,
                    group=place.group,
                    max_remembered=_MAX_REMEMBERED,
                    emitted=[emitted(held, output) for held, output in some],
                )
            except (*AWAY, ResponseError) as error:
                failures += 1
                log.warning("writing failed", entries=len(self._waiting), error=str(error))
                self._changed.set()
                await asyncio.sleep(_BACKOFF.pause_s(failures))
                continue
            failures = 0
            if not is_ours:
                self._gate.close()
                return
            for held, _output in some:
                self._waiting.popleft()
                self._hand.settle(held.source, (held.id,))
            if self._waiting:
                self._changed.set()


def emitted(held: Held, output: Output) -> Emitted:
    """What an entry became, as the script takes it."""
    return Emitted(
        id=held.id,
        is_own=held.source.is_own,
        is_old=output.is_replay or held.entry.is_replay,
        events=[
            event if isinstance(event, bytes) else encode_event(event) for event in output.events
        ],
        writes=[(write.command, write.key, *write.arguments) for write in output.writes],
    )
