"""Operators hear of a group once when it is not well, and once when it is again."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.alerts.alert_watch import AlertWatch
from gateway.contract import ALERT_BEGAN, ALERT_ENDED, decode_event
from gateway.redis_access import connections
from gateway.settings.loading import load
from tests.integration.missed_events.conftest import Reconcilers, reconcilers
from tests.integration.notifier.processes import notifier_process
from tests.integration.notifier.sinks import http_sink
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import DEAD, EVENTS, dead_letter, failed_attempt
from tests.support.eventually import eventually
from tests.support.redis_users import denied, rights_of

__all__ = ["reconcilers"]

COMMENTS = "b24:comments:{0}"
ROUTE = """
stream = "{stream}"
allow_private = true
[[notifier.routes]]
name = "operators"
urls = ["{url}"]
events = ["gateway.alert.*"]
window_s = 0
"""


async def alerts(redis: Redis, key: str) -> list[tuple[str, str, Any]]:
    """The alerts on a stream: type, id, data."""
    entries: Any = await redis.xrange(key)
    events = [decode_event(fields[b"event"]) for _, fields in entries]
    told = [one for one in events if one.type in {ALERT_BEGAN, ALERT_ENDED}]
    return [(one.type, one.id, one.data) for one in told]


@pytest.mark.parametrize("stream", ["events", "comments"])
async def test_dead_letters_are_told_once_with_an_event_and_once_that_they_are_gone(
    redis: Redis, redis_url: str, tmp_path: Path, reconcilers: Reconcilers, stream: str
) -> None:
    await publish(redis, EVENTS, [comment_event(1)])
    await redis.xgroup_create(EVENTS, "index", "$")
    async with http_sink() as sink:
        route = ROUTE.format(url=sink.url, stream=stream)
        with notifier_process(redis_url, route, tmp_path):

            async def is_reading() -> bool:
                return bool(await redis.exists(f"b24:{stream}:{{0}}")) and any(
                    row["name"] == b"notifier"
                    for row in await redis.xinfo_groups(f"b24:{stream}:{{0}}")
                )

            await eventually(is_reading)
            one = comment_event(7)
            await dead_letter(redis, one)
            settings = {"RECONCILE_ALERT_EVERY_S": "0.2", "RECONCILE_LEASE_S": "2"}
            first, second = reconcilers(**settings), reconcilers(**settings)
            await eventually(lambda: len(sink.received) == 1)
            leader = first if first.lines("an alert began") else second
            leader.kill()  # the next one goes on from what is remembered
            await dead_letter(redis, comment_event(8))
            follower = second if leader is first else first
            await eventually(lambda: bool(follower.lines("leading")))
            await redis.delete(DEAD)
            await eventually(lambda: len(sink.received) == 2)

    titles = [received.body["title"] for received in sink.received]
    assert titles == [
        "Group index has given up events",
        "No dead letters of group index are left",
    ]
    assert f"gateway explain {one.id}" in sink.received[0].body["message"]
    assert "gateway dead list --group index" in sink.received[0].body["message"]
    (begun, ended) = await alerts(redis, EVENTS)
    assert (begun[0], ended[0]) == (ALERT_BEGAN, ALERT_ENDED)
    assert begun[2]["portal"] == one.data.domain
    assert not follower.lines("an alert began")
    assert await redis.exists("b24:alerts") == 0


async def test_a_group_that_is_behind_is_told_with_the_event_that_fails(
    redis: Redis, redis_url: str, reconcilers: Reconcilers
) -> None:
    events = [comment_event(number) for number in range(1, 6)]
    await publish(redis, EVENTS, events)
    await redis.xgroup_create(EVENTS, "index", "0")
    await redis.xreadgroup("index", "one", {EVENTS: ">"}, count=3)
    entries: Any = await redis.xrange(EVENTS)
    await failed_attempt(redis, entries[1][0].decode(), events[1])

    one = reconcilers(RECONCILE_ALERT_EVERY_S="0.2", RECONCILE_ALERT_BEHIND_S="0.5")
    await eventually(lambda: bool(one.lines("an alert began")))
    await redis.xack(EVENTS, "index", *(entry_id for entry_id, _ in entries[:3]))

    async def is_over() -> bool:
        await redis.xgroup_setid(EVENTS, "index", "$")  # what was told is on the stream, too
        return any(
            data["alert"] == "group_behind"
            for kind, _, data in await alerts(redis, EVENTS)
            if kind == ALERT_ENDED
        )

    await eventually(is_over)
    told = [line for line in one.lines("an alert began") if line["alert"] == "group_behind"]
    assert (told[0]["group"], told[0]["stream"], told[0]["count"]) == ("index", "events", 5)
    assert told[0]["event_id"] == events[1].id
    assert len(told) == 1


async def test_an_alert_whose_telling_was_cut_off_is_told_all_the_same_and_once(
    redis: Redis, redis_url: str, reconcilers: Reconcilers
) -> None:
    await publish(redis, EVENTS, [comment_event(1)])
    await redis.xgroup_create(EVENTS, "index", "$")
    await dead_letter(redis, comment_event(7))
    one = reconcilers(RECONCILE_ALERT_EVERY_S="0.2")
    await eventually(lambda: bool(one.lines("an alert began")))
    one.kill()
    name = "dead_letters index"
    raw: Any = await redis.hget("b24:alerts", name)
    await redis.hset("b24:alerts", name, raw.replace(b'"is_told":true', b'"is_told":false'))

    another = reconcilers(RECONCILE_ALERT_EVERY_S="0.2", RECONCILE_LEASE_S="2")
    await eventually(lambda: bool(another.lines("an alert began")))

    assert [kind for kind, _, _ in await alerts(redis, EVENTS)] == [ALERT_BEGAN]


async def test_the_documented_rights_of_who_looks_after_portals_suffice_to_alert(
    redis: Redis, users: Any, limited_url: str, reconcilers: Reconcilers
) -> None:
    await publish(redis, EVENTS, [comment_event(number) for number in range(1, 4)])
    await redis.xadd(COMMENTS, {"event": b"{}"})
    await redis.xgroup_create(EVENTS, "index", "0")
    await redis.xreadgroup("index", "one", {EVENTS: ">"}, count=1)
    await dead_letter(redis, comment_event(7))
    await users(*rights_of("reconciler"))

    one = reconcilers(
        REDIS_URL=limited_url, RECONCILE_ALERT_EVERY_S="0.2", RECONCILE_ALERT_BEHIND_S="0.5"
    )
    await eventually(lambda: len(one.lines("an alert began")) == 2)
    await redis.delete(DEAD)
    await eventually(lambda: bool(one.lines("an alert is over")))

    assert not one.lines("nobody can be alerted")
    assert await denied(redis) == []


async def test_alerts_are_told_on_a_cluster(cluster_url: str) -> None:
    environment = {
        "GATEWAY_REDIS_URL": cluster_url,
        "GATEWAY_REDIS_PARTITIONS": "4",
        "GATEWAY_RECONCILE_ALERT_BEHIND_S": "0.5",
    }
    async with connections.control(cluster_url) as redis:
        for partition in range(4):
            key = f"b24:events:{{{partition}}}"
            await publish(redis, key, [comment_event(1)])
            await redis.xgroup_create(key, "index", "0")
        one = comment_event(7)
        await dead_letter(redis, one)
        watch = AlertWatch(load(None, environment), redis)
        try:

            async def are_told() -> bool:
                await watch.look()
                return len(await alerts(redis, EVENTS)) == 2

            await eventually(are_told)
            await redis.delete(DEAD)
            await watch.look()
            await watch.look()
        finally:
            await watch.close()

        told = await alerts(redis, EVENTS)
        assert {data["alert"] for _, _, data in told} == {"group_behind", "dead_letters"}
        (ended,) = [data for kind, _, data in told if kind == ALERT_ENDED]
        assert ended["event_id"] == one.id
