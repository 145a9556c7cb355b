"""What portals send is added up over all receivers, and told, and nothing is dropped for it."""

from typing import Any

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


def shown(metric: str, member_id: str) -> float | None:
    return REGISTRY.get_sample_value(metric, {"member_id": member_id})


def count(watch: RateWatch, member_id: str, events: int) -> None:
    watch.counts[member_id] = watch.counts.get(member_id, 0) + events


async def test_two_receivers_are_added_up_and_one_of_them_tells_it_once(redis: Redis) -> None:
    first, second = watch_of(redis, "two-1"), watch_of(redis, "two-1")

    with capture_logs() as logs:
        for at_s in (5, 15, 65, 75, 185):
            for watch in (first, second):
                count(watch, "two-1", 60)
                await watch.measure(NOW + at_s)

    assert [(line["event"], line["events"]) for line in logs] == [
        ("a portal sends unusually much; nothing is dropped", 120),
        ("a portal sends unusually much; nothing is dropped", 120),
    ]  # one episode of two minutes, and one after a quiet minute
    assert shown("b24gw_portal_alarms_total", "two-1") == 3
    assert first.counts == second.counts == {}


async def test_the_last_full_minute_and_the_peak_are_shown_for_registered_portals_only(
    redis: Redis,
) -> None:
    watch = watch_of(redis, "busy-1", "quiet-1")
    watch.counts.update({"busy-1": 70, "stranger-1": 9})
    await watch.measure(NOW + 30)
    count(watch, "busy-1", 20)
    await watch.measure(NOW + 70)

    assert shown("b24gw_portal_events_per_minute", "busy-1") == 70
    assert shown("b24gw_portal_events_per_minute", "quiet-1") == 0
    assert shown("b24gw_portal_events_per_minute", "stranger-1") is None

    await watch.measure(NOW + 130)
    assert shown("b24gw_portal_events_per_minute", "busy-1") == 20
    assert shown("b24gw_portal_peak_events_per_minute", "busy-1") == 70


async def test_a_portal_that_was_removed_is_shown_no_more(redis: Redis) -> None:
    directory = Directory()
    portal = Portal(member_id="leaving-1", domain="d", digests=(digest_of("fake"),))
    directory.learn([portal])
    watch = RateWatch(redis, directory, prefix="b24", limit=100)
    watch.counts["leaving-1"] = 70
    await watch.measure(NOW + 30)
    await watch.measure(NOW + 70)
    assert shown("b24gw_portal_peak_events_per_minute", "leaving-1") == 70

    directory.learn([])
    await watch.measure(NOW + 130)

    assert shown("b24gw_portal_events_per_minute", "leaving-1") is None
    assert shown("b24gw_portal_peak_events_per_minute", "leaving-1") is None

    directory.learn([portal])
    await watch.measure(NOW + 190)
    assert shown("b24gw_portal_peak_events_per_minute", "leaving-1") == 0


async def test_while_redis_is_away_a_process_goes_by_its_own_counts() -> None:
    async with connections.control(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.2) as away:
        watch = watch_of(away, "alone-1")
        with capture_logs() as logs:
            for at_s in (5, 15):
                count(watch, "alone-1", 60)
                await watch.measure(NOW + at_s)

    assert [line["events"] for line in logs] == [120]


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
    assert 0 < lives_s[f"b24:rates:{int(NOW // 60)}"] <= 180
    assert all(0 < life_s <= 90 * 86400 for life_s in lives_s.values())
