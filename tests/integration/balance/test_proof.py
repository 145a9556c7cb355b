"""The balance of an hour: kept once, on the stream once, in the audit log, proved from there."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from consumers.audit import signing
from gateway.balance.hours import HourRecord, hour_of, keep_hour
from gateway.balance.reading import read_balance
from gateway.contract import Streams, decode_event
from gateway.publishing.balance_event import BALANCE_DRAWN, BalanceEvents, event_id_of
from gateway.settings import PublishSettings, RedisSettings
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually
from tests.support.starting import finished

EVENTS = Streams().key("events", 0)


async def drawn(redis: Redis, url: str, hour: str) -> HourRecord:
    """What a receiver does at the end of an hour."""
    balance = await read_balance(redis, Streams())
    record = HourRecord(event_id=event_id_of("b24", hour), balance=balance)
    kept = await keep_hour(redis, "b24", hour, record)
    events = BalanceEvents(RedisSettings(url=url), PublishSettings())
    try:
        await events.publish(hour, kept)
    finally:
        await events.close()
    return kept


async def command(package: str, url: str, *arguments: str, directory: Path) -> tuple[int, Any]:
    done = await finished(
        (sys.executable, "-m", package, *arguments),
        environment=os.environ | {"GATEWAY_REDIS_URL": url, "GATEWAY_AUDIT_DIR": str(directory)},
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


async def test_two_receivers_record_an_hour_once(redis: Redis, redis_url: str) -> None:
    first = await drawn(redis, redis_url, "2026-01-31T09")
    await redis.hincrby("b24:balance:{0}", "once", 1)  # the second one sees something else
    second = await drawn(redis, redis_url, "2026-01-31T09")

    assert second == first
    entries: Any = await redis.xrange(EVENTS)
    (event,) = [decode_event(fields[b"event"]) for _id, fields in entries]
    assert (event.id, event.type) == (first.event_id, BALANCE_DRAWN)
    assert event.subject == "balance/2026-01-31T09"


async def test_a_day_is_proved_by_records_of_the_audit_log(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    today = now.date().isoformat()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    hours = [hour_of(midnight + timedelta(hours=number)) for number in (-1, 0, 1)]
    records = [await drawn(redis, redis_url, hour) for hour in hours]
    directory = tmp_path / "audit"
    signing.generate(tmp_path / "audit.key")
    environment = {
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_AUDIT_DIR": str(directory),
        "GATEWAY_AUDIT_CHECKPOINT_EVERY": "1",
        "GATEWAY_AUDIT_SIGNING_KEY": f"file:{tmp_path / 'audit.key'}",
    }
    with ConsumerProcess("audit", tmp_path, environment) as audit:
        audit.launch()

        async def is_written() -> bool:
            groups: Any = await redis.xinfo_groups(EVENTS)
            return bool(groups) and (groups[0]["lag"], groups[0]["pending"]) == (0, 0)

        await eventually(is_written, timeout_s=60)

    code, day = await command(
        "gateway", redis_url, "prove", "--day", today, "--json", directory=directory
    )

    assert code == 0
    assert list(day["records"].values()) == [one.event_id for one in records]
    for event_id in day["records"].values():
        code, proof = await command(
            "consumers", redis_url, "audit", "prove", event_id, directory=directory
        )
        assert code == 0, proof


async def test_a_day_without_records_is_a_line(redis_url: str, tmp_path: Path) -> None:
    code, said = await command(
        "gateway", redis_url, "prove", "--day", "2020-01-31", directory=tmp_path
    )

    assert code == 2
    assert said.startswith("gateway: 2020-01-31: there are not two records of it")


async def test_the_first_day_of_all_is_refused_in_one_line(redis_url: str, tmp_path: Path) -> None:
    code, told = await command(
        "gateway", redis_url, "prove", "--day", "0001-01-01", directory=tmp_path
    )

    assert (code, told.count("\n"), "no hour before it" in told) == (2, 1, True)
