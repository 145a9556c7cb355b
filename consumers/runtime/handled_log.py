"""Logs what was handled: each entry at the level debug, and sums each minute."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from consumers.runtime.entry import HeldEntry
from consumers.runtime.metrics import Metrics, Totals

__all__ = ["Summary", "tell_handled"]

log = structlog.get_logger()

_EVERY_S: Final = 60.0


def tell_handled(group: str, done: Iterable[HeldEntry]) -> None:
    """A line for each entry that is acknowledged."""
    if not log.is_enabled_for(logging.DEBUG):
        return
    for held in done:
        entry = held.entry
        log.debug(
            "handled and acknowledged",
            group=group,
            stream=entry.stream,
            partition=entry.partition,
            entry_id=entry.id,
            event_id=entry.event.id,
            type=entry.event.type,
            subject=entry.event.subject,
        )


class Summary:
    """Says each minute what this process was through with, if it was with anything.

    `metrics` are those of its groups, which are summed up.
    """

    def __init__(
        self, group: str, metrics: Sequence[Metrics], *, every_s: float = _EVERY_S
    ) -> None:
        self._group = group
        self._metrics = metrics
        self._every_s = every_s
        self._told = Totals()

    async def run(self) -> None:
        """Say so until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            self.tell()

    def tell(self) -> None:
        """Say what has come to it since the last time."""
        now, before = Totals.of_all(one.totals for one in self._metrics), self._told
        self._told = now
        if now != before:
            log.info(
                "handled",
                group=self._group,
                seconds=self._every_s,
                entries=now.handled - before.handled,
                ignored=now.ignored - before.ignored,
                dead_letters=now.dead - before.dead,
                failed_attempts=now.failed_attempts - before.failed_attempts,
            )
