"""Keeps the balance of each hour, and says what came of a day.

    b24:balance:hours   hash: the hour at whose end it was drawn up, as `2026-01-31T09` -> JSON of
                        HourRecord; for 40 days

Each is also an event of the type `gateway.balance` on the stream `events`, so that it enters the
audit log, signed, among the events that it is about. The first receiver that comes to the end of
an hour draws its record up; whoever comes next publishes the same one, which is there once.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.balance.sheet import Balance

__all__ = ["DayBalance", "HourRecord", "day_balance", "hour_of", "keep_hour", "read_hours"]

_KEPT: Final = timedelta(days=40)
_DRAWN_UP_WITHIN: Final = timedelta(minutes=10)
_FORMAT: Final = "%Y-%m-%dT%H"


class HourRecord(Struct, frozen=True, kw_only=True):
    """A balance that was drawn up at the end of an hour, and the id of its event."""

    event_id: str
    balance: Balance


class DayBalance(Struct, frozen=True, kw_only=True):
    """What became of what was accepted from one record to another, and how it stood at the end.

    Counts are differences of the two; what waited in spools, or was being stored, is of each.
    `open` is how many events were missing at the end that nobody had written off, `written_off`
    how many were and somebody had. `records` are the ids of the events of all hours in between,
    these two included; `missing_hours` are those of the day, and the last one before it, of which
    there is no record. Until `is_over`, records of the day are still to come.
    """

    day: str
    is_over: bool
    since: str
    until: str
    accepted: int
    published: int
    once: int
    refused: dict[str, int]
    unanswered: int
    in_spools_before: int
    in_spools_after: int
    under_way_before: int
    under_way_after: int
    open: int
    written_off: int
    records: dict[str, str]
    missing_hours: tuple[str, ...]

    @property
    def closes(self) -> bool:
        """Whether everything that was accepted is somewhere."""
        return self.open == 0


def hour_of(moment: datetime) -> str:
    """The hour that a moment is in, in UTC: the name of its record."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def hours_key(prefix: str) -> str:
    """Where they are kept."""
    return f"{prefix}:balance:hours"


async def keep_hour(client: Redis, prefix: str, hour: str, record: HourRecord) -> HourRecord:
    """Keep the record of an hour, unless another receiver has; the one that is kept.

    Forgets those of long ago. May be repeated.
    """
    redis: Any = client
    key = hours_key(prefix)
    if not await redis.hsetnx(key, hour, msgspec.json.encode(record)):
        kept = await redis.hget(key, hour)
        return msgspec.json.decode(kept, type=HourRecord) if kept else record
    ended = datetime.strptime(hour, _FORMAT).replace(tzinfo=UTC)
    oldest = hour_of(ended - _KEPT)
    old = [name for name in await redis.hkeys(key) if name.decode() < oldest]
    if old:
        await redis.hdel(key, *old)
    return record


async def read_hours(client: Redis, prefix: str, day: date) -> dict[str, HourRecord]:
    """The records of a day, and the one of the last hour before it, by hour."""
    redis: Any = client
    hours = _hours_of(day)
    values = await redis.hmget(hours_key(prefix), hours)
    return {
        hour: msgspec.json.decode(value, type=HourRecord)
        for hour, value in zip(hours, values, strict=True)
        if value
    }


def day_balance(
    records: Mapping[str, HourRecord], day: date, *, now: datetime
) -> DayBalance | None:
    """What came of a day by its records; None if there are not two of them.

    Of a day that is not over for some minutes, no hour behind the last record is missing.
    """
    hours = sorted(records)
    if len(hours) < 2:
        return None
    first, last = records[hours[0]].balance, records[hours[-1]].balance
    is_over = hour_of(now - _DRAWN_UP_WITHIN) > _hours_of(day)[-1]
    refused = {
        reason: count - first.door.refused.get(reason, 0)
        for reason, count in last.door.refused.items()
    }
    return DayBalance(
        day=day.isoformat(),
        is_over=is_over or hours[-1] == _hours_of(day)[-1],
        since=hours[0],
        until=hours[-1],
        accepted=last.door.accepted - first.door.accepted,
        published=last.door.published - first.door.published,
        once=last.door.once - first.door.once,
        refused={reason: count for reason, count in refused.items() if count},
        unanswered=last.door.unanswered - first.door.unanswered,
        in_spools_before=first.door.in_spools,
        in_spools_after=last.door.in_spools,
        under_way_before=first.door.under_way,
        under_way_after=last.door.under_way,
        open=last.open,
        written_off=sum(min(one.count, one.written_off) for one in last.missing),
        records={hour: records[hour].event_id for hour in hours},
        missing_hours=tuple(
            hour for hour in _hours_of(day) if hour not in records and (is_over or hour < hours[-1])
        ),
    )


def _hours_of(day: date) -> list[str]:
    """The last hour before a day, and its own."""
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [hour_of(begins + timedelta(hours=number)) for number in range(-1, 24)]
