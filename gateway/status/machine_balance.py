"""Reads the balance, with what ledgers of this machine say and have perhaps not reported yet."""

import time
from pathlib import Path

from redis.asyncio import Redis

from gateway.balance.bookkeeper import look_at_door
from gateway.balance.door_report import DoorReport
from gateway.balance.reading import read_balance
from gateway.balance.sheet import Balance, balance_without_redis
from gateway.ops.answer_times import answered
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.batch_file import SpoolFile
from gateway.publishing.spool.reports import known_spool_id
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["balance_now", "balance_within"]


async def balance_within(settings: Settings, *, within_s: float) -> Balance:
    """The balance; without Redis that of this machine, which has one if it has receivers.

    Raises one of connections.FAILURES if there is neither.
    """
    own = settings.redis
    try:
        return await answered(own, lambda redis: balance_now(redis, settings), within_s=within_s)
    except FAILURES as error:
        here = await _report_of_this_machine(settings)
        if not here:
            raise
        why = f"{RedisAddress.of(own.url)} {' '.join(predicate(error).split())}"
        return balance_without_redis(here, now_ms=round(time.time() * 1000), why=why)


async def balance_now(redis: Redis, settings: Settings) -> Balance:
    """The balance as far as Redis and this machine know it. Raises one of connections.FAILURES."""
    here = await _report_of_this_machine(settings)
    return await read_balance(redis, settings.redis.streams, here=here)


async def _report_of_this_machine(settings: Settings) -> dict[str, DoorReport]:
    """What the ledgers of this machine say by now, which was perhaps not reported yet."""
    directory = Path(settings.spool.dir)
    spool_id = known_spool_id(directory)
    if spool_id is None:
        return {}

    async def in_spool() -> int:
        spool = SpoolFile(directory, max_bytes=settings.spool.max_bytes, is_checked=False)
        try:
            return spool.totals()[0]
        finally:
            spool.close()

    try:
        report = await look_at_door(directory, in_spool, former=None)
    except (OSError, SpoolUnavailable):
        return {}
    return {} if report is None else {spool_id: report}
