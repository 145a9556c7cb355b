"""A portal that falls silent is told once, whoever leads, and once when it is heard again."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.bitrix24.errors import Unauthorized
from gateway.contract import PortalEvent, decode_event
from gateway.portal_health.silence_watch import SilenceWatch
from gateway.portal_health.troubles import Troubles
from gateway.portals.directory import Portal
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.publish_once import OncePublisher
from gateway.settings import PublishSettings, ReconcileSettings, RedisSettings
from gateway.traffic.portal_traffic import SLOT_S, Traffic
from tests.integration.portal_health.seeding import count, known_for_weeks

NOON = 1_766_059_200.0
"""A slot begins there."""
PORTAL = Portal(member_id="m1", domain="m1.example", digests=())


class Leader:
    """A process that leads, and whose clock a test moves."""

    def __init__(self, redis: Redis, sink: Any, **settings: Any) -> None:
        self.at = NOON
        self.asked: list[str] = []
        self.answer: Exception | None = None
        troubles = Troubles(redis, sink, prefix="b24", clock=lambda: int(self.at * 1e9))
        rules = ReconcileSettings(**{"silence_asks": False} | settings)
        self.silence = SilenceWatch(
            redis, troubles, rules, prefix="b24", ask=self._ask, now=lambda: self.at
        )

    async def _ask(self, portal: Portal) -> None:
        self.asked.append(portal.member_id)
        if self.answer is not None:
            raise self.answer

    async def look(self, at: float) -> None:
        self.at = at
        await self.silence.look(PORTAL)


@pytest.fixture
async def sink(redis_url: str) -> AsyncIterator[OncePublisher]:
    publisher = OncePublisher(RedisSettings(url=redis_url), PublishSettings())
    yield publisher
    await publisher.close()


async def told(redis: Redis) -> list[PortalEvent]:
    entries: Any = await redis.xrange("b24:events:{0}")
    events = [decode_event(fields[b"event"]) for _, fields in entries]
    assert all(isinstance(event, PortalEvent) for event in events)
    return events  # type: ignore[return-value]


def shown(metric: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(metric, {"member_id": "m1"} | labels)


async def test_a_silence_is_told_once_by_all_leaders_and_its_end_once(
    redis: Redis, sink: OncePublisher
) -> None:
    await known_for_weeks(redis, "m1", now=NOON)
    await count(redis, {"m1": 10}, first=NOON, last=NOON + SLOT_S)
    silent_from = NOON + SLOT_S
    await count(redis, {}, first=silent_from, last=silent_from + 9 * SLOT_S)

    with capture_logs() as logs:
        for minute in range(80):
            if minute % 20 == 0:
                leader = Leader(redis, sink)
            await leader.look(silent_from + 60 * minute)
        (silent,) = await told(redis)
        assert shown("b24gw_portal_trouble", trouble="silent") == 1
        await count(redis, {"m1": 1}, first=silent_from + 4800, last=silent_from + 4810)
        await leader.look(silent_from + 4820)
        await leader.look(silent_from + 4880)

    silent, recovered = await told(redis)
    assert (silent.type, recovered.type) == ("bitrix24.portal.silent", "bitrix24.portal.recovered")
    assert silent.data.since == "2025-12-18T12:00:00Z"  # the last event, as seen by its receiver
    assert silent.data.usual_per_hour == pytest.approx(60, rel=0.2)
    assert 1800 <= silent.occurred_at.timestamp() - silent_from <= 3600
    assert (recovered.data.since, recovered.data.trouble) == (silent.data.since, "silent")
    assert recovered.data.until == recovered.time == "2025-12-18T13:30:20Z"
    assert [(line["event"], line["event_id"], line["log_level"]) for line in logs] == [
        ("a portal has fallen silent", silent.id, "warning"),
        ("a trouble of a portal is over", recovered.id, "info"),
    ]
    assert logs[1]["lasted_s"] == 5420
    assert shown("b24gw_portal_trouble", trouble="silent") is None
    assert shown("b24gw_portal_last_event_timestamp_seconds") == silent_from + 4800


async def test_what_could_not_be_published_is_told_later_and_once(
    redis: Redis, sink: OncePublisher
) -> None:
    await known_for_weeks(redis, "m1", now=NOON)
    await count(redis, {}, first=NOON, last=NOON + 9 * SLOT_S)

    class Away:
        """Takes an event, and says that it did not."""

        async def publish(self, events: Sequence[PortalEvent]) -> int:
            await sink.publish(events)
            raise StreamUnavailable("away", "no answer")

    leader = Leader(redis, Away())
    for _ in range(2):
        with pytest.raises(StreamUnavailable):
            await leader.look(NOON + 4800)
    with capture_logs() as logs:
        await Leader(redis, sink).look(NOON + 4860)

    assert len(await told(redis)) == 1
    assert [line["event"] for line in logs] == ["a portal has fallen silent"]


async def test_a_process_that_no_longer_leads_changes_nothing(
    redis: Redis, sink: OncePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known_for_weeks(redis, "m1", now=NOON)
    await count(redis, {}, first=NOON, last=NOON + 9 * SLOT_S)
    read = Traffic.slots

    async def overtaken(traffic: Traffic, *arguments: Any) -> Any:
        found = await read(traffic, *arguments)
        monkeypatch.setattr(Traffic, "slots", read)
        await Leader(redis, sink).look(NOON + 60)
        await count(redis, {"m1": 5}, first=NOON + 700, last=NOON + 710)
        await Leader(redis, sink).look(NOON + 1300)
        return found

    monkeypatch.setattr(Traffic, "slots", overtaken)
    await Leader(redis, sink).look(NOON + 4800)

    assert await told(redis) == []


async def test_a_portal_is_asked_once_and_told_if_no_test_event_comes(
    redis: Redis, sink: OncePublisher
) -> None:
    await known_for_weeks(redis, "m1", now=NOON)
    await count(redis, {}, first=NOON, last=NOON + 9 * SLOT_S)
    leader = Leader(redis, sink, silence_asks=True)
    leader.answer = Unauthorized("no application")

    await leader.look(NOON + 4800)
    assert (leader.asked, await told(redis)) == (["m1"], [])
    await leader.look(NOON + 4860)
    assert (leader.asked, await told(redis)) == (["m1"], [])
    await leader.look(NOON + 4920)

    assert leader.asked == ["m1"]
    assert [event.type for event in await told(redis)] == ["bitrix24.portal.silent"]


async def test_a_portal_that_answers_is_not_told(redis: Redis, sink: OncePublisher) -> None:
    await known_for_weeks(redis, "m1", now=NOON)
    await count(redis, {}, first=NOON, last=NOON + 9 * SLOT_S)
    leader = Leader(redis, sink, silence_asks=True)

    await leader.look(NOON + 4800)
    assert leader.asked == ["m1"]
    await count(redis, {"m1": 1}, first=NOON + 4801, last=NOON + 4802)
    for minute in range(1, 9):
        await leader.look(NOON + 4800 + 60 * minute)

    assert leader.asked == ["m1"]
    assert await told(redis) == []


async def test_metrics_are_shown_for_as_long_as_somebody_looks(
    redis: Redis, sink: OncePublisher
) -> None:
    await count(redis, {"m1": 1}, first=NOON, last=NOON + 10)
    leader = Leader(redis, sink)
    await leader.look(NOON + 10)
    assert shown("b24gw_portal_last_event_timestamp_seconds") == NOON

    other = Portal(member_id="m2", domain="m2.example", digests=())
    for minute in range(1, 8):  # the first one is not registered any more
        leader.at = NOON + 60 * minute
        await leader.silence.look(other)
    assert shown("b24gw_portal_last_event_timestamp_seconds") is None

    await count(redis, {"m2": 1}, first=NOON, last=NOON + 10)
    await leader.silence.look(other)
    assert shown("b24gw_portal_last_event_timestamp_seconds", member_id="m2") == NOON
    leader.silence.close()
    assert shown("b24gw_portal_last_event_timestamp_seconds", member_id="m2") is None


async def test_what_is_remembered_ends_by_itself(redis: Redis, sink: OncePublisher) -> None:
    await count(redis, {"m1": 1}, first=NOON, last=NOON + SLOT_S)
    await Leader(redis, sink).look(NOON + 700)

    assert 89 * 86400 < await redis.ttl("b24:care:{m1}") <= 90 * 86400
    assert 86400 < await redis.ttl(f"b24:traffic:{int(NOON // SLOT_S)}") <= 86400 + SLOT_S
