"""Judges what ended a partition: the process ends with it, or it begins anew after a rest."""

import asyncio
import time
from typing import Final

import structlog

from gateway.redis_access.redis_faults import ERRORS_OF_REDIS_PY, RedisFault, fault_of

__all__ = ["EndedPartitions"]

log = structlog.get_logger()

_REST_S: Final = 5.0


class EndedPartitions:
    """Knows which partitions of a group rest, each for five seconds."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._until: dict[int, float] = {}

    @property
    def resting(self) -> set[int]:
        """Those that are left alone for now."""
        now = time.monotonic()
        return {number for number, end in self._until.items() if end > now}

    def failure_of(self, number: int, ended: asyncio.Task[None]) -> BaseException | None:
        """What ended a partition, if it has to end the process.

        That Redis was away has not: who could have waited for it did not, which is told, and the
        partition is taken anew after its rest.
        """
        error = ended.exception()
        if not isinstance(error, ERRORS_OF_REDIS_PY) or fault_of(error) is not RedisFault.AWAY:
            return error
        self._until[number] = time.monotonic() + _REST_S
        log.error(
            "partition ended, and begins anew", group=self._group, partition=number, exc_info=error
        )
        return None
