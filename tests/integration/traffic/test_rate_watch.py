"""What portals send is added up over all receivers, and told, and nothing is dropped for it."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.local.redis_server import free_port
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.redis_access import connections
from gateway.traffic.rate_watch import RateWatch

NOW = 1_766_047_100.0 // 60 * 60


def watch_of(client: Redis, *members: str, limit: int = 100) -> RateWatch:
    digests = (digest_of("fake"),)
    portals = [Portal(member_id=name, domain="d", digests=digests) for name in members]
    return RateWatch(client, Directory(portals), prefix="b24", limit=limit)


def shown(member_id: str) -> float | None:
    return REGISTRY.get_sample_value("b24gw_portal_events_per_minute", {"member_id": member_id})


def count(watch: RateWatch, member_id: str, events: int) -> None:
    watch.counts[member_id] = watch.counts.get(member_id, 0) + events


async def test_two_receivers_are_added_up_and_one_of_them_tells_it_once(redis: Redis) -> None:
    first, second = watch_of(redis, "two-1"), watch_of(redis, "two-1")
    before = REGISTRY.get_sample_value("b24gw_portal_alarms_total") or 0

    with capture_logs() as logs:
        for at_s in (5, 15, 65, 75, 185):
            for watch in (first, second):
                count(watch, "two-1", 60)
                await watch.measure(NOW + at_s)

    assert [(line["event"], line["events"]) for line in logs] == [
        ("a portal sends unusually much; nothing is dropped", 120),
        ("a portal sends unusually much; nothing is dropped", 120),
    ]  # one episode of two minutes, and one after a quiet minute
    assert REGISTRY.get_sample_value("b24gw_portal_alarms_total") == before + 3
    assert first.counts == second.counts == {}


async def test_the_last_full_minute_is_shown_of_registered_portals_that_sent(redis: Redis) -> None:
    watch = watch_of(redis, "busy-1", "quiet-1")
    watch.counts.update({"busy-1": 70, "stranger-1": 9})
    await watch.measure(NOW + 30)
    count(watch, "busy-1", 20)
    await watch.measure(NOW + 70)

    assert (shown("busy-1"), shown("quiet-1"), shown("stranger-1")) == (70, None, None)
    assert REGISTRY.get_sample_value("b24gw_sending_portals") == 2

    await watch.measure(NOW + 130)
    assert shown("busy-1") == 20


async def test_of_many_portals_those_are_shown_that_sent_most_at_all_receivers(
    redis: Redis,
) -> None:
    names = [f"many-{number}" for number in range(1000)]
    first, second = watch_of(redis, *names), watch_of(redis, *names)
    for watch in (first, second):
        watch.counts.update({name: 1 + number for number, name in enumerate(names)})
        await watch.measure(NOW + 30)
    await first.measure(NOW + 70)

    assert {name: shown(name) for name in names if shown(name)} == {
        f"many-{number}": 2 + 2 * number for number in range(980, 1000)
    }
    assert REGISTRY.get_sample_value("b24gw_sending_portals") == 1000


async def test_others_have_their_turn_after_each_few_portals(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    carry_out: Any = redis.execute_command

    async def noting(*args: Any, **options: Any) -> Any:
        asked.append(len(args))
        return await carry_out(*args, **options)

    monkeypatch.setattr(redis, "execute_command", noting)
    watch = watch_of(redis, "m0")
    watch.counts.update({f"m{number}": 1 for number in range(10_000)})
    await watch.measure(NOW + 30)
    await watch.measure(NOW + 70)

    assert max(asked) < 1000
    assert len(asked) < 300  # a few for each two hundred portals


async def test_a_portal_that_was_removed_is_shown_no_more(redis: Redis) -> None:
    directory = Directory()
    portal = Portal(member_id="leaving-1", domain="d", digests=(digest_of("fake"),))
    directory.learn([portal])
    watch = RateWatch(redis, directory, prefix="b24", limit=100)
    watch.counts["leaving-1"] = 70
    await watch.measure(NOW + 30)
    await watch.measure(NOW + 70)
    assert shown("leaving-1") == 70

    directory.learn([])
    await watch.measure(NOW + 130)

    assert shown("leaving-1") is None


async def test_while_redis_is_away_a_process_goes_by_its_own_counts() -> None:
    async with connections.control(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2) as away:
        watch = watch_of(away, "alone-1")
        with capture_logs() as logs:
            for at_s in (5, 15):
                count(watch, "alone-1", 60)
                await watch.measure(NOW + at_s)

    assert [line["events"] for line in logs] == [120]


async def test_while_redis_is_away_the_busiest_are_shown_and_each_look_asks_once() -> None:
    async with connections.control(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2) as away:
        watch = watch_of(away, "busy-2")
        watch.counts.update({"busy-2": 70} | {f"m{number}": 1 for number in range(5_000)})
        async with asyncio.timeout(10):  # each question takes half a second
            await watch.measure(NOW + 30)
            await watch.measure(NOW + 70)

    assert shown("busy-2") == 70


async def test_without_a_limit_nobody_is_told(redis: Redis) -> None:
    watch = watch_of(redis, "free-1", limit=0)
    count(watch, "free-1", 10**6)
    with capture_logs() as logs:
        await watch.measure(NOW)
    assert logs == []


async def test_what_is_kept_expires(redis: Redis) -> None:
    watch = watch_of(redis, "m1")
    count(watch, "m1", 1)
    await watch.measure(NOW)

    keys: list[Any] = await redis.keys("*")
    lives_s = {key.decode(): await redis.ttl(key) for key in keys}
    assert len(lives_s) == 3
    assert 0 < lives_s[f"b24:rates:{{minutes}}:{int(NOW // 60)}"] <= 180
    assert all(0 < life_s <= 90 * 86400 for life_s in lives_s.values())
