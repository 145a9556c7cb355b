"""The audit consumer as a process, on a real Redis."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from consumers.audit import signing
from consumers.audit.day_files import day_files
from consumers.audit.proofs import NotProvable, prove
from consumers.audit.record_search import RecordQuery, search
from consumers.audit.signing import SigningKey
from consumers.testing import app_event, entity_event, portal_event
from gateway.contract import Event, encode_event
from gateway.erasure_record import Erasure, ErasureNotRecorded, record_erasure
from gateway.settings import RedisSettings
from tests.integration.runtime.running import comment_event, publish
from tests.support.audit_log import entries, lines_of, verify_by_key, write
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually
from tests.support.small_disk import small_disk
from tests.support.starting import finished_blocking

KEY = "b24:events:{0}"


def events_in(chain: Path) -> list[str]:
    """The ids of the events in a chain, in its order; a line being written is none."""
    if not chain.is_dir():
        return []
    records = [msgspec.json.decode(line) for line in lines_of(chain) if line.endswith(b"\n")]
    return [record["event"]["id"] for record in records if record["kind"] == "event"]


async def test_every_event_is_in_the_signed_log_once_and_in_order(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    public = signing.generate(tmp_path / "audit.key")
    events = [comment_event(number + 1) for number in range(1500)]
    await publish(redis, KEY, events)
    audit = {
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
        "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path}/audit.key",
    }
    chain = tmp_path / "audit" / "events-0"

    with service(redis_url, tmp_path, name="audit", **audit) as process:
        await eventually(lambda: len(events_in(chain)) == 1500)
        assert await process.stop() == 0

    assert events_in(chain) == [event.id for event in events]
    report = verify_by_key(chain, public)
    assert (report.fault, report.events, report.keys) == (None, 1500, [public])
    assert report.signed_count == report.checkpoints >= 2
    assert (await redis.xpending(KEY, "audit"))["pending"] == 0


async def test_events_of_every_type_are_recorded_as_they_stand_and_found(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events: list[Event] = [
        comment_event(7),
        entity_event("deal/77", fields={"FIELDS": {"ID": "77"}}),
        entity_event("deal/78", "bitrix24.crm.deal.deleted"),
        entity_event("item.1032/6", "bitrix24.crm.item.1032.updated"),
        entity_event("task", "bitrix24.task.added", fields={"FIELDS_AFTER": {"ID": "0"}}),
        entity_event("chat/chat17", "bitrix24.acme.chat.said", fields={"a": ["\u2028", {"b": ""}]}),
        app_event(),
        portal_event(),
    ]
    await publish(redis, KEY, events)
    chain = tmp_path / "audit" / "events-0"

    with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")):
        await eventually(lambda: len(events_in(chain)) == len(events))

    found = list(search(tmp_path / "audit", RecordQuery()))
    assert [bytes(hit.record.event) for hit in found] == [encode_event(event) for event in events]
    assert verify_by_key(chain).fault is None
    for wanted, numbers in (
        (RecordQuery(type="crm.deal.*"), [1, 2]),
        (RecordQuery(type="bitrix24.crm.item.*.updated"), [3]),
        (RecordQuery(subject="deal/77"), [1]),
        (RecordQuery(type="*.deleted", subject="deal/77"), []),
        (RecordQuery(subject="chat/chat17"), [5]),
    ):
        hits = [hit.event.id for hit in search(tmp_path / "audit", wanted)]
        assert hits == [events[number].id for number in numbers], wanted


async def test_an_event_that_many_killed_processes_had_in_hand_is_in_the_log(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number) for number in (1, 2)]
    await publish(redis, KEY, events)
    await redis.xgroup_create(KEY, "audit", "0")
    taken: Any = await redis.xreadgroup("audit", "owner", {KEY: ">"})
    ids = [entry_id for entry_id, _fields in taken[KEY.encode()]]
    await redis.xclaim(KEY, "audit", "owner", 0, ids, retrycount=9, justid=True)
    chain = tmp_path / "audit" / "events-0"

    with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")):
        await eventually(lambda: len(events_in(chain)) == 2)

    assert events_in(chain) == [event.id for event in events]
    assert await redis.xlen("b24:dead:audit:{0}") == 0


async def test_the_log_of_a_process_without_a_key_is_chained_and_says_so(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(1)])
    chain = tmp_path / "audit" / "events-0"

    with service(
        redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")
    ) as process:
        await eventually(lambda: len(events_in(chain)) == 1)
        await process.stop()

    assert logged(tmp_path, "audit").count("audit log is chained but not signed") == 1
    report = verify_by_key(chain)
    assert (report.fault, report.signed_count) == (None, 0)


def test_a_key_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "wrong.key").write_text("not-a-key-but-still-a-secret")
    done = finished_blocking(
        (sys.executable, "-m", "consumers", "run", "audit"),
        environment={**os.environ, "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path}/wrong.key"},
    )
    assert done.returncode == 2
    assert done.stderr == (
        "consumers: [audit] signing_key: not an unencrypted private key in PEM\n"
    )


async def test_a_full_disk_holds_the_consumer_up_and_loses_nothing(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", size="512k") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 450_000)
        events = [comment_event(number + 1) for number in range(400)]
        await publish(redis, KEY, events)
        chain = disk / "events-0"

        with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(disk)) as process:
            await eventually(lambda: "No space left on device" in logged(tmp_path, "audit"))
            assert process.is_running
            assert len(events_in(chain)) < 400
            ballast.unlink()
            await eventually(lambda: len(events_in(chain)) == 400)
            assert await process.stop() == 0

        assert events_in(chain) == [event.id for event in events]
        assert verify_by_key(chain).fault is None
        (group,) = await redis.xinfo_groups(KEY)
        assert group["pending"] == 0
        assert await redis.xlen("b24:dead:audit:{0}") == 0


async def test_upkeep_signs_compresses_and_removes_what_is_old(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    public = signing.generate(tmp_path / "audit.key")
    key = SigningKey.of_setting(f"file:{tmp_path}/audit.key")
    days_ago = datetime.now(UTC) - timedelta(days=5)
    chain = write(
        tmp_path / "audit", key, entries(1, 5), entries(6, 10), entries(11, 15), start=days_ago
    )
    oldest, _, newest = (file.name for file in day_files(chain))
    event = comment_event(1)
    await publish(redis, KEY, [event])

    with service(
        redis_url,
        tmp_path,
        name="audit",
        GATEWAY_AUDIT_DIR=str(tmp_path / "audit"),
        GATEWAY_AUDIT_SIGNING_KEY=f"file:{tmp_path}/audit.key",
        GATEWAY_AUDIT_CHECKPOINT_EVERY_S="0.1",
        GATEWAY_AUDIT_KEPT_DAYS="4",
    ):
        await eventually(lambda: not (chain / oldest).exists())
        await eventually(
            lambda: (chain / f"{newest}.gz").exists() and not (chain / newest).exists()
        )

        def has_proof() -> bool:
            hit = next(search(tmp_path / "audit", RecordQuery(event_id=event.id)), None)
            try:
                return hit is not None and bool(prove(tmp_path / "audit", hit))
            except NotProvable:
                return False

        await eventually(has_proof)
        report = verify_by_key(chain, public)
        assert (report.fault, report.events) == (None, 11)


async def test_an_erasure_is_recorded_between_the_events(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    chain = tmp_path / "audit" / "events-0"
    before, after = comment_event(999), comment_event(999)
    erasure = Erasure(
        member_id="portal", comment_id=999, by="warehouse", erased_count=3, reason="request 17"
    )
    await publish(redis, KEY, [before])
    erased = await record_erasure(RedisSettings(url=redis_url), erasure)
    await publish(redis, KEY, [after])

    with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(tmp_path / "audit")):
        await eventually(lambda: len(events_in(chain)) == 3)

    assert events_in(chain) == [before.id, erased, after.id]
    (hit,) = search(tmp_path / "audit", RecordQuery(event_id=erased, member_id="portal"))
    assert hit.event.type == "gateway.data.erased"
    assert msgspec.json.decode(hit.record.event)["data"] == {
        "member_id": "portal",
        "comment_id": 999,
        "by": "warehouse",
        "erased_count": 3,
        "reason": "request 17",
    }


async def test_an_erasure_that_cannot_be_recorded_is_said_to_be_so(tmp_path: Path) -> None:
    away = RedisSettings(url=f"unix://{tmp_path}/no-such-socket")
    with pytest.raises(ErasureNotRecorded, match="run the command again"):
        await record_erasure(away, Erasure(member_id="portal", by="warehouse", erased_count=3))


async def test_each_partition_has_a_chain_and_a_second_process_goes_on_with_it(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    environment = {
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
        "GATEWAY_REDIS_PARTITIONS": "2",
        "GATEWAY_CONSUMERS_LEASE_S": "2",
    }
    published: list[list[str]] = [[], []]

    async def publish_more() -> None:
        for partition in (0, 1):
            events = [comment_event(number + 1) for number in range(200)]
            await publish(redis, f"b24:events:{{{partition}}}", events)
            published[partition] += [event.id for event in events]

    def holds_all() -> bool:
        return published == [events_in(tmp_path / "audit" / f"events-{p}") for p in (0, 1)]

    with service(redis_url, tmp_path, name="audit", **environment) as first:
        await publish_more()
        await eventually(holds_all)
        with service(redis_url, tmp_path, name="audit", **environment):
            await publish_more()
            first.kill()
            await publish_more()
            await eventually(holds_all)
    for partition in (0, 1):
        assert verify_by_key(tmp_path / "audit" / f"events-{partition}").fault is None
