"""Writes what entries became to the output: in order, once, with the acknowledgement.

An acknowledgement may come a little after an effect; an output may not. So one script writes what
an entry became, remembers that, and acknowledges the entry; fenced by the epoch of the lease, and
repeated until the server has answered. docs/decisions/0008-transforming-consumers.md has the why.
"""

from collections.abc import Sequence
from typing import Final, cast

import structlog

from consumers.runtime.entry import HeldEntry
from consumers.runtime.handled_log import tell_handled
from consumers.runtime.lua_scripts import Emitted
from consumers.runtime.outlet import Outlet
from consumers.runtime.tenure import Tenure
from consumers.runtime.transforms import Output

__all__ = ["Emission"]

log = structlog.get_logger()

_MAX_ENTRIES: Final = 200
"""Entries of one script call: the server does nothing else for the two milliseconds it takes."""

_MAX_REMEMBERED: Final = 10_000
"""More than a call and what may be repeated after one; a megabyte in Redis for a partition."""


class Emission:
    """Writes what the entries of one partition became, in one tenure."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        keys = tenure.keys
        outage = tenure.outages.of("writing failed", group=keys.group, partition=keys.partition)
        self._outlet = Outlet(self._send, most=_MAX_ENTRIES, gate=tenure.gate, outage=outage)

    def emit(self, done: Sequence[tuple[HeldEntry, Output]]) -> None:
        """Write these with the next call, behind those that were given before."""
        self._outlet.put(done)

    async def close(self, timeout_s: float) -> None:
        """Write what is left, if the server can be reached in time; the rest stays pending."""
        if left := await self._outlet.close(timeout_s):
            log.warning("entries were not written and come again", entries=left)

    def check(self) -> None:
        """Raise what ended the writing, if nobody had foreseen it."""
        self._outlet.check()

    async def _send(self, some: Sequence[tuple[HeldEntry, Output]]) -> bool:
        keys, failures = self._tenure.keys, self._tenure.failures
        noted = failures.fields_of((held.source, held.id) for held, _output in some)
        own = (keys.shared.key, keys.redeliveries.key, keys.failures, keys.balance)
        is_ours = await self._tenure.scripts.emit(
            (keys.lease, keys.output, keys.emitted, *own),
            epoch=self._tenure.epoch,
            group=keys.group,
            max_remembered=_MAX_REMEMBERED,
            emitted=[_emitted(held, output) for held, output in some],
            noted=noted,
        )
        if is_ours:
            failures.forget(noted)
            tell_handled(keys.group, (held for held, _output in some))
            for held, _output in some:
                self._tenure.in_flight.settle(held.source, (held.id,))
        return is_ours


def _emitted(held: HeldEntry, output: Output) -> Emitted:
    """What an entry became, as the script takes it."""
    return Emitted(
        id=held.id,
        is_redelivery=held.source.is_redelivery,
        is_old=output.is_replay or held.entry.is_replay,
        events=cast("Sequence[bytes]", output.events),  # encoded since it was checked
        writes=[(write.command, write.key, *write.arguments) for write in output.writes],
    )
