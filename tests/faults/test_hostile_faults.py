"""Somebody writes what is no event among the events: it costs nobody else anything."""

import asyncio
from collections import Counter
from typing import Any, Final

import pytest

from consumers.audit.chain_verification import verify_chain
from gateway.contract import Streams
from gateway.redis_access import connections
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.audit_log import logged
from tests.support.stage import Stage, entries_on

_STREAMS: Final = Streams(partitions=2)
_GROUPS: Final = (GROUP, "audit", "enricher")
_EVENT: Final = (
    b'{"specversion":"1.0","id":"1","source":"urn:bitrix24:portal","subject":"comment/1",'
    b'"type":"bitrix24.crm.timeline.comment.updated","time":%b,"receivedat":%b,'
    b'"datacontenttype":"application/json","data":{"comment_id":%b,"member_id":"portal",'
    b'"domain":"acme.bitrix24.com"}}'
)
_TIME: Final = b'"2025-12-18T08:18:53Z"'
HOSTILE: Final[tuple[dict[str, bytes], ...]] = (
    {"event": b"\xff\xfe"},
    {"event": b""},
    {"another": b"field"},
    {"event": _EVENT % (_TIME, b'"nope"', b"1")},
    {"event": _EVENT % (b'"nope"', _TIME, b"1")},
    {"event": _EVENT % (_TIME, _TIME, b"9" * 26)},
    {"event": _EVENT % (_TIME, _TIME, b'"one"')},
)


@pytest.mark.short
async def test_hostile_entries_are_buried_and_nothing_else(stage: Stage) -> None:
    server = stage.server()
    sink = Sink(stage.directory)
    audit_dir = stage.directory / "audit"
    receiver = await stage.receiver(server.url)
    stage.worker(SERVICE, server.url, sink.environment)
    stage.worker("audit", server.url, {"GATEWAY_AUDIT_DIR": str(audit_dir)})
    stage.worker("enricher", server.url, {})
    sent = Counter[str]()
    async with (
        connections.control(server.url) as redis,
        stage.load(receiver, rate=60) as load,
    ):
        await load.until_answered_from("stream", timeout_s=10)
        for fields in HOSTILE * round(stage.span(short=1, full=4)):
            for key in _STREAMS.keys("events"):
                await redis.xadd(key, fields)  # type: ignore[arg-type]
                sent["hostile"] += 1
            await asyncio.sleep(0.05)
        await load.until_answered_from("stream", timeout_s=10)
    for group in _GROUPS:
        await stage.until_consumed(server.url, group)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]
    async with connections.control(server.url) as redis:
        dead = {group: await _reasons(redis, group) for group in _GROUPS}
        outputs: list[Any] = [await redis.xrange(key) for key in _STREAMS.keys("comments")]

    account = await stage.settle(load.deliveries, server)

    assert account.refused == account.unanswered == 0
    assert dead == {group: {"undecodable": sent["hostile"]} for group in _GROUPS}
    assert sorted(row.event_id for row in sink.effects()) == sorted(stored)
    assert sum(len(entries) for entries in outputs) == len(stored)
    chains = [audit_dir / f"events-{number}" for number in range(2)]
    assert sum(len(logged(chain)) for chain in chains) == len(stored)
    assert [verify_chain(chain).fault for chain in chains] == [None, None]


async def _reasons(redis: Any, group: str) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for partition in range(_STREAMS.partitions):
        for _id, fields in await redis.xrange(_STREAMS.dead(group, partition)):
            reasons[fields[b"reason"].decode()] += 1
    return dict(reasons)
