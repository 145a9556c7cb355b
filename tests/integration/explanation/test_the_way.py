"""`gateway explain` on real processes: what fails, hangs, is dead, given again, handled."""

import json
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Reject
from gateway.contract import EventSubject, Streams, encode_event
from gateway.redis_access import connections
from tests.integration.enricher.conftest import Scene, scene
from tests.integration.enricher.test_process import environment
from tests.integration.explanation.asked import explained, told
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually

__all__ = ["scene"]

KEY = "b24:events:{0}"
GROUP = "search-index"


def group_in(way: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in way["groups"] if one["group"] == name]
    return dict(found)


async def test_each_group_says_what_it_made_of_the_event(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    event = comment_event(2)
    await publish(redis, KEY, [comment_event(1), event, comment_event(3)])
    await redis.xgroup_create(KEY, "idle", "0")

    failing = {"SERVICE_FAILS_AT": "2", "GATEWAY_CONSUMERS_LEASE_S": "2"}
    with service(redis_url, tmp_path, **failing) as process:

        async def has_failed() -> dict[str, Any]:
            way = await explained(redis_url, event.id)
            groups = [one for one in way["groups"] if one["group"] == GROUP]
            return way if groups and groups[0]["failure"] else {}

        way = await eventually(has_failed)
        process.kill()
    dead = await explained(redis_url, event.id)

    assert way["event"]["subject"] == "comment/2"
    assert [place["stream"] for place in way["places"]] == ["events"]
    (entry_id,) = {place["entry_id"] for place in way["places"]}
    entries: Any = await redis.xrange(KEY)
    assert entries[1][0].decode() == entry_id
    assert group_in(way, "idle")["state"] == "waiting"
    found = group_in(way, GROUP)
    assert found["state"] == "in hand"
    assert found["owner"]
    assert found["failure"]["error"] == "Transient: the index is away: password=***"
    assert group_in(dead, GROUP)["failure"]["error"] == found["failure"]["error"]

    with service(redis_url, tmp_path):
        await eventually(lambda: settled(redis, KEY, GROUP))
    after = group_in(await explained(redis_url, event.id), GROUP)
    assert (after["state"], after["failure"]) == ("handled", None)
    text = await told(redis_url, event.id)
    assert f"  {GROUP:<16}handled: delivered before" in text
    assert f"  {'idle':<16}waiting: the group stands at 0-0, and nobody works" in text
    assert f"consumers audit show --event {event.id}" in text


async def test_a_dead_letter_a_retry_and_a_replay_are_named(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Reject("no such deal")

    event = comment_event(7)
    await publish(redis, KEY, [comment_event(6), event])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    dead = group_in(await explained(redis_url, event.id), "index")
    assert dead["state"] == "dead letter"
    (letter,) = dead["letters"]
    assert (letter["reason"], letter["error"]) == ("rejected", "Reject: no such deal")
    shown = json.loads(
        await gateway(redis_url, "dead", "show", "--group", "index", letter["address"], "--json")
    )
    assert event.id in shown["event"]

    await gateway(redis_url, "dead", "retry", "--group", "index", letter["address"])
    again = group_in(await explained(redis_url, event.id), "index")
    assert (again["state"], again["letters"]) == ("given again", [])
    assert [(one["kind"], one["is_in_hand"]) for one in again["again"]] == [("retry", False)]

    await gateway(redis_url, "replay", "--group", "index", "--from", "1h")
    replayed = group_in(await explained(redis_url, event.id), "index")
    assert [one["kind"] for one in replayed["again"]] == ["retry", "replay"]
    text = await told(redis_url, event.id)
    assert "given again, waiting as replay/" in text
    assert "replayed, waiting as replay/" in text


async def test_what_an_operator_lets_wait_and_what_he_strikes_is_told_as_such(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    event, struck = comment_event(1), comment_event(2)
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await gateway(redis_url, "groups", "pause", GROUP, "--type", "*.updated")
    await gateway(redis_url, "groups", "strike", GROUP, "--event", struck.id)
    await publish(redis, KEY, [event, struck])

    async def is_dead() -> bool:
        return bool(await redis.xlen(f"b24:dead:{GROUP}:{{0}}"))

    with service(redis_url, tmp_path):
        await eventually(is_dead)
    waiting = group_in(await explained(redis_url, event.id), GROUP)
    dead = group_in(await explained(redis_url, struck.id), GROUP)

    assert "*.updated" in waiting["paused"]
    assert f"gateway groups resume {GROUP}" in await told(redis_url, event.id)
    assert [letter["reason"] for letter in dead["letters"]] == ["struck"]
    shown = await gateway(redis_url, "pending", "--within", "30", "--group", GROUP)
    assert "paused: " in shown


async def test_a_portal_that_does_not_answer_and_what_it_says_at_last(
    scene: Scene, redis_url: str, tmp_path: Path
) -> None:
    portal = await scene.portal("down")
    portal.faults.page = 502
    settings = environment(scene, GATEWAY_ENRICHER_GIVE_UP_AFTER_S="600")
    with service(redis_url, tmp_path, name="enricher", **settings):
        event = await scene.happened(portal, *scene.written(portal, 1))

        async def waits() -> dict[str, Any]:
            way = await explained(redis_url, event.id)
            groups = [one for one in way["groups"] if one["group"] == "enricher"]
            return groups[0] if groups and groups[0]["failure"] else {}

        waiting = await eventually(waits)
        portal.faults.clear()
        await scene.until_settled()
    way = await explained(redis_url, event.id)

    assert waiting["state"] == "in hand"
    assert "the portal does not answer: unreachable" in waiting["failure"]["error"]
    assert [place["stream"] for place in way["places"]] == ["events", "comments"]
    assert way["comment"]["state"] == "present"
    assert group_in(way, "enricher")["state"] == "handled"


async def test_a_comment_that_could_not_be_had_says_why_and_when_it_is_asked_for_again(
    scene: Scene, redis_url: str, tmp_path: Path
) -> None:
    portal = await scene.portal("down")
    portal.faults.page = 502
    settings = environment(
        scene, GATEWAY_ENRICHER_GIVE_UP_AFTER_S="0.1", GATEWAY_ENRICHER_REFETCH_AFTER_S="600"
    )
    with service(redis_url, tmp_path, name="enricher", **settings):
        event = await scene.happened(portal, *scene.written(portal, 1))
        await scene.until_out(1)
        await scene.until_settled()
    way = await explained(redis_url, event.id)

    assert (way["comment"]["state"], way["comment"]["reason"]) == ("unavailable", "unreachable")
    assert way["comment"]["asked_again_at"]
    assert "unavailable (unreachable)" in await told(redis_url, event.id)


async def test_it_works_on_all_nodes_of_a_cluster(cluster_url: str) -> None:
    streams = Streams(partitions=4)
    events = [comment_event(number) for number in range(1, 9)]
    partitions = {"GATEWAY_REDIS_PARTITIONS": "4"}
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id % 2:
            raise Reject("odd")

    numbers = [
        streams.partition_of("portal", EventSubject.of_comment(event.data.comment_id))
        for event in events
    ]
    async with connections.control(cluster_url) as redis:
        for number, event in zip(numbers, events, strict=True):
            await redis.xadd(streams.key("events", number), {"event": encode_event(event)})
        async with running(app, cluster_url, partitions=4):
            for number in set(numbers):
                key = streams.key("events", number)
                await eventually(lambda key=key: settled(redis, key, "index"))  # type: ignore[misc]

    for number, event in zip(numbers, events, strict=True):
        way = await explained(cluster_url, event.id, environ=partitions)
        assert [place["partition"] for place in way["places"]] == [number]
        state = "dead letter" if event.data.comment_id % 2 else "handled"
        assert group_in(way, "index")["state"] == state
    found = await explained(cluster_url, "--comment", "5", environ=partitions)
    assert found["event_id"] == events[4].id
