"""Records samples of how the installation is, out of what is looked at anyway."""

from collections.abc import Mapping
from typing import Any

import structlog
from redis.asyncio import Redis

from gateway.balance.sheet import Balance, GroupSheet
from gateway.heartbeats.process_list import processes
from gateway.history.sample_ring import GroupSample, HistorySample, write_sample
from gateway.redis_access.redis_faults import FAILURES, RedisFault, fault_of

__all__ = ["HistoryRecorder", "answers_between"]


log: Any = structlog.get_logger(__name__)


class HistoryRecorder:
    """Makes a sample of each balance that a receiver draws up, and of what receivers say of
    themselves. `client` is a control client.

    What Redis refuses is logged once when that begins and once when it is over; while it is away
    nothing is said, for others tell of that.
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._before: dict[str, tuple[int, ...]] | None = None
        self._is_refused = False

    async def record(self, balance: Balance) -> None:
        """Write a sample, if Redis takes it: the chart has a gap otherwise."""
        try:
            await self._write(balance)
        except FAILURES as error:
            if fault_of(error) is RedisFault.AWAY:
                return
            if not self._is_refused:
                log.warning("the last hour is not recorded for the console", error=str(error))
            self._is_refused = True
        else:
            if self._is_refused:
                log.info("the last hour is recorded again")
            self._is_refused = False

    async def _write(self, balance: Balance) -> None:
        told = {
            one.id: one.report.answers
            for one in await processes(self._client, prefix=self._prefix)
            if one.report.answers
        }
        answers = () if self._before is None else answers_between(self._before, told)
        self._before = told
        sample = HistorySample(
            at_ms=balance.at_ms,
            accepted=balance.door.accepted,
            groups=tuple(map(_sample, balance.groups)),
            answers=answers,
        )
        await write_sample(self._client, self._prefix, sample)


def answers_between(
    before: Mapping[str, tuple[int, ...]], now: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """What was added between two looks at the counts of several processes, over all of them. Pure.

    What a process had counted that was not there before is new, all of it: it has just begun.
    """
    summed: list[int] = []
    for name, counts in now.items():
        earlier = before.get(name, (0,) * len(counts))
        summed += [0] * (len(counts) - len(summed))
        for place, (count, then) in enumerate(zip(counts, earlier, strict=False)):
            summed[place] += max(0, count - then)
    return tuple(summed)


def _sample(one: GroupSheet) -> GroupSample:
    settled = one.handled + one.passed_over + one.dead + one.struck + one.erased
    return GroupSample(one.group, one.stream, one.waiting, one.in_hand, settled)
