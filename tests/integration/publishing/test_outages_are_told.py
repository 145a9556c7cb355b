"""What the log says while nothing takes events: who, how many, and when it is over; and no more."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.publishing import outage
from gateway.publishing.outage import SharedOutage
from gateway.sandbox.portal import SANDBOX
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver, receiving


def lines_of(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(line) for line in receiver.log.splitlines() if line.startswith("{")]


async def test_a_full_spool_is_told_in_few_lines_that_name_what_is_lost(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        receiving(tmp_path, own_server.url, {"SPOOL_MAX_BYTES": "65536"}) as receiver,
        DeliveryLoad([receiver.port], rate=200) as load,
    ):
        await load.until_answered_from("stream", timeout_s=10)
        own_server.kill()
        await load.until_refused(timeout_s=20)
        refused = len(load.deliveries)
        await eventually(lambda: len(load.deliveries) > refused + 200, timeout_s=30)
        own_server.start()
        await eventually(lambda: "redis takes batches again" in receiver.log, timeout_s=30)
        await eventually(lambda: "the spool takes batches again" in receiver.log, timeout_s=30)
        await eventually(lambda: "redis is back" in receiver.log, timeout_s=30)

    lost = [delivery for delivery in load.deliveries if delivery.status == 503]
    lines = lines_of(receiver)
    said = [line["event"] for line in lines]
    named = [line for line in lines if line["event"] == "delivery unavailable"]
    assert len(lost) > 150
    assert len(named) <= 120  # in two minutes at most
    assert {line["member_id"] for line in named} == {SANDBOX.member_id}
    assert {line["reason"] for line in named} == {"spool_full"}
    assert all(line["comment_id"] >= 1000 for line in named)
    assert len(lines) - len(named) < 40, said
    assert said.count("deliveries are stored again") == said.count(
        "deliveries are answered 503 and lost"
    )
    # What leaves the spool makes room for a batch now and then, so there may be several outages.
    over = [line["events"] for line in lines if line["event"] == "deliveries are stored again"]
    assert sum(over) == len(lost)
    # Of a batch that the spool did not take, nobody says that it went there.
    assert "redis did not take a batch; nor did the spool: its events are answered 503" in said
    assert "redis is back: what waits in the spool is published" in said


def test_an_outage_is_told_when_it_begins_each_minute_when_it_changes_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(outage, "monotonic", lambda: now)
    redis = SharedOutage(level="warning", ends="over")
    with capture_logs() as logs:
        for _ in range(100):  # twenty a second, by two lanes
            redis.meets("away", 0, events=2)
            redis.meets("away", 1, events=3)
            now += 1
        redis.meets("full", 1, events=1)
        redis.passed(0)
        assert redis.lasts
        redis.passed(1)
        redis.passed(1)

    told = [(line["event"], line["events"]) for line in logs]
    assert told == [("away", 2), ("away", 300), ("full", 199), ("over", 501)]
