"""What an operator may see on a working day: events of two portals, groups, errors, a pause."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway.contract import (
    CommentData,
    CommentEvent,
    EventSelection,
    PortalData,
    encode_event,
    source_of,
    timestamps,
)
from gateway.contract.streams import Streams
from gateway.heartbeats.process_report import ProcessReport, processes_key
from gateway.ops.group_interventions import pause_group
from gateway.portals.registry import Registry
from tests.support.console_hour import write_hour
from tests.support.console_stage import EVENTS, dead_letter, failed_attempt
from tests.support.portal_trouble import note_trouble

__all__ = ["furnish"]

_PORTALS: Final = {
    "010b6886ebc205e43ae65000ee00addb": "acme.bitrix24.com",
    "7d41f2b06e2c4c1fa6c8b60e7f0a9d13": "volga-trade.bitrix24.ru",
}
_GROUPS: Final = {"audit": 0, "enricher": 12, "index": 1284, "warehouse": 40}
"""Consumers, and how many entries each has still to be given."""
_EVENTS: Final = 2000
_ERRORS: Final = (
    ("failed", "ConnectError: search.example.com:9200 refuses the connection"),
    ("failed", "ReadTimeout: search.example.com:9200 did not answer within 10 s"),
    ("rejected", "ValidationError: entity_type 'smart_invoice' is not in the mapping"),
    ("crashed", "the process ended three times while it handled this event"),
)


async def furnish(redis: Redis) -> CommentEvent:
    """Put it all into Redis; the event of which `index` has failed three times."""
    events = [_event(number) for number in range(_EVENTS)]
    async with redis.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(EVENTS, {"event": encode_event(event)})
        entries: Any = await pipeline.execute()
    for group, waiting in _GROUPS.items():
        await _group(redis, group, entries, waiting=waiting)
    stuck = _EVENTS - _GROUPS["index"] - 6
    for number in range(stuck, stuck + 6):
        await failed_attempt(redis, entries[number].decode(), events[number])
    for number in range(24):
        reason, error = _ERRORS[number % len(_ERRORS)]
        at = datetime.now(UTC) - timedelta(minutes=190 - 7 * number)
        await dead_letter(
            redis,
            events[40 * number + 3],
            reason=reason,
            error=error,
            failed_at=timestamps.milliseconds_of(at),
            entry_id=entries[40 * number + 3].decode(),
        )
    await pause_group(
        redis,
        Streams(),
        "warehouse",
        EventSelection(portal="volga-trade.bitrix24.ru"),
        until=datetime.now(UTC) + timedelta(hours=2),
        now=datetime.now(UTC),
    )
    await _portals(redis)
    await write_hour(redis)
    return events[stuck]


def _event(number: int) -> CommentEvent:
    member_id, domain = list(_PORTALS.items())[number % 2]
    now = datetime.now(UTC) - timedelta(milliseconds=60 * (_EVENTS - number))
    kind = "added" if number % 5 == 0 else "updated"
    event = CommentEvent(
        id=str(uuid7()),
        source=source_of(member_id),
        type="bitrix24.crm.timeline.comment.updated",
        subject=f"comment/{900 + number}",
        time=timestamps.seconds_of(now),
        receivedat=timestamps.milliseconds_of(now),
        data=CommentData(comment_id=900 + number, member_id=member_id, domain=domain),
    )
    return event if kind == "updated" else replace(event, type=event.type[:-7] + "added")


async def _group(redis: Redis, group: str, entries: list[bytes], *, waiting: int) -> None:
    """A group that has acknowledged all that it was given but for six entries of `index`."""
    await redis.xgroup_create(EVENTS, group, "0")
    given: Any = len(entries) - waiting
    await redis.xreadgroup(group, "one", {EVENTS: ">"}, count=given)
    left = 6 if group == "index" else 0
    await redis.xack(EVENTS, group, *entries[: given - left])
    lease: Any = {"owner": f"{group}-1", "until": 2**53, "epoch": 4}
    await redis.hset(f"b24:lease:{group}:{{0}}", mapping=lease)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    report = replace(
        ProcessReport.of_this_process(
            "consumer", why_not=None, group=group, stream="events", partitions=(0,)
        ),
        host="consumers-1",
        at=now_ms,
        started_at=now_ms - 86_400_000,
    )
    await redis.hset(processes_key("b24"), f"{group}-1", msgspec.json.encode(report).decode())


async def _portals(redis: Redis) -> None:
    registry = Registry(redis, prefix="b24")
    for number, (member_id, domain) in enumerate(_PORTALS.items()):
        await registry.add(member_id, domain, bytes([number]) * 32, now=datetime.now(UTC))
    member_id, domain = list(_PORTALS.items())[1]
    trouble = PortalData(
        member_id=member_id,
        domain=domain,
        trouble="token_expiring",
        since=timestamps.seconds_of(datetime.now(UTC) - timedelta(days=2)),
        reason="the refresh token ends in 3 days; open the application in the portal",
    )
    await note_trouble(redis, trouble)
