"""What an erasure leaves to consumers, to the audit log and to the portal's access."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer
from consumers.audit.record_search import RecordQuery, search
from consumers.notifier.notices import Notice, encoded, key_of
from consumers.testing import entity_event
from gateway.contract import Event, EventSubject, OtherEvent, Streams, decode_event, encode_event
from gateway.erasure_record import DATA_ERASED
from gateway.portals.facts import PortalFacts
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings
from tests.integration.enricher.conftest import COMMENTS
from tests.integration.erasing.everything import keys_with
from tests.integration.runtime.running import comment_event, gateway, running
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.redis_users import rights_of

STREAMS = Streams()


async def test_groups_go_on_past_what_was_erased_and_nobody_takes_it_for_lost(
    redis: Redis, redis_url: str
) -> None:
    """One group has read nothing, one has entries pending, one has handled all."""
    events = [comment_event(number % 2 + 1) for number in range(10)]
    for event in events:
        await redis.xadd(COMMENTS, {"event": encode_event(event)})
    for group in ("late", "stuck", "done"):
        await redis.xgroup_create(COMMENTS, group, "0")
    await redis.xreadgroup("stuck", "owner", {COMMENTS: ">"}, count=6)
    replies: Any = await redis.xreadgroup("done", "owner", {COMMENTS: ">"})
    await redis.xack(COMMENTS, "done", *[one for one, _ in replies[COMMENTS.encode()]])
    keeper = Retention(redis, STREAMS, RetentionSettings(warn_held_days=1000))
    await keeper.look_once()

    report = json.loads(
        await gateway(redis_url, "erase", "--portal", "portal", "--comment", "2", "--yes", "--json")
    )

    assert report["erased"]["found"]["comments"] == 5
    with capture_logs() as logs:
        await keeper.look_once()
    assert [line for line in logs if "removed" in line["event"]] == []
    of_the_other = [event.id for event in events if event.data.comment_id == 1]
    for group in ("late", "stuck"):
        assert await handled_by(group, redis, redis_url) == [*of_the_other, f"last of {group}"]


async def test_an_erasure_is_recorded_by_the_audit_log_with_what_was_where(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    for key in (COMMENTS, STREAMS.key("events", 0), STREAMS.dead("search", 0)):
        await redis.xadd(key, {"event": encode_event(comment_event(7))})
    erase = ("erase", "--portal", "portal", "--yes", "--json", "--reason", "request 17")

    first = json.loads(await gateway(redis_url, *erase))
    again = json.loads(await gateway(redis_url, *erase))

    directory = tmp_path / "audit"
    with service(redis_url, tmp_path, name="audit", GATEWAY_AUDIT_DIR=str(directory)):
        await eventually(lambda: len(recorded(directory)) == 2)
    one, other = recorded(directory)
    assert [one.id, other.id] == [first["event_id"], again["event_id"]]
    assert isinstance(one, OtherEvent)
    assert isinstance(other, OtherEvent)
    assert one.data == {
        "member_id": "portal",
        "comment_id": None,
        "by": "gateway",
        "erased_count": 3,
        "places": first["erased"]["found"],
        "reason": "request 17",
    }
    assert other.data["erased_count"] == 0  # and the first record has stayed


async def test_of_a_subject_every_place_is_emptied_and_its_neighbours_stay(
    redis: Redis, redis_url: str
) -> None:
    """Of another kind, another number, another portal, and what is under the id that it begins."""
    key = STREAMS.key("events", 0)
    contact = entity_event("contact/7", "bitrix24.crm.contact.updated", member_id="acme")
    neighbours: list[Event] = [
        entity_event("company/7", member_id="acme"),
        entity_event("contact/77", member_id="acme"),
        entity_event("contact/7", member_id="other"),
        comment_event(7),
    ]
    snapshots = []
    events: list[Event] = [contact, *neighbours]
    for event in events:
        for stream in (key, COMMENTS, STREAMS.dead("search", 0)):
            await redis.xadd(stream, {"event": encode_event(event)})
        name = key_of(event)
        await redis.hset("b24:notifier:{1/1}:notices", name, encoded(waiting(event)))
        member_id = event.source.rpartition(":")[2]
        subject = EventSubject.parse(event.subject)
        snapshots.append(STREAMS.snapshot(0, member_id, subject))
        await redis.set(snapshots[-1], "sealed")

    erase = ("erase", "--portal", "acme", "--subject", "contact/7", "--yes", "--json")
    report = json.loads(await gateway(redis_url, *erase))

    assert {place: count for place, count in report["erased"]["found"].items() if count} == {
        "events": 1,
        "comments": 1,
        "dead letters": 1,
        "notices that waited": 1,
        "snapshots": 1,
    }
    assert (report["comment_id"], report["subject"]) == (None, "contact/7")
    assert report["out_of_reach"][0].endswith("erase --portal acme --subject contact/7")
    assert await redis.exists(*snapshots[1:]) == len(neighbours)
    assert await redis.hlen("b24:notifier:{1/1}:notices") == len(neighbours)
    entries: Any = await redis.xrange(key)
    left = [decode_event(fields[b"event"]) for _id, fields in entries]
    assert [event.id for event in left[:-1]] == [event.id for event in neighbours]
    record = left[-1]
    assert isinstance(record, OtherEvent)
    assert (record.type, record.subject) == ("gateway.subject.erased", "contact/7")
    assert "comment_id" not in record.data, "who knows portals and comments alone erases nothing"


def waiting(event: Event) -> Notice:
    raw = encode_event(event)
    return Notice(event_id=event.id, raw=raw, first="changed", last="changed", since_ms=0)


def recorded(directory: Path) -> list[Any]:
    """The erasures in the audit log."""
    if not directory.exists():
        return []
    found = [decode_event(hit.record.event) for hit in search(directory, RecordQuery())]
    return [event for event in found if event.type == DATA_ERASED]


async def handled_by(group: str, redis: Redis, redis_url: str) -> list[str]:
    """What a group handles of the stream and of one event more, and that it misses nothing."""
    seen: list[str] = []
    app = Consumer(group=group, stream="comments")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if not event.id.startswith("last") or event.id.endswith(group):
            seen.append(event.id)

    with capture_logs() as logs:
        async with running(app, redis_url):
            await eventually(lambda: len(seen) == 5)
            last = comment_event(1, event_id=f"last of {group}")
            await redis.xadd(COMMENTS, {"event": encode_event(last)})
            await eventually(lambda: len(seen) == 6)
    assert [line for line in logs if line["log_level"] == "error"] == []
    return seen


async def test_erasing_works_on_a_cluster(cluster_url: str) -> None:
    streams = Streams(partitions=4)
    client = connections.control(cluster_url)
    try:
        for number in range(1, 21):
            event = comment_event(number)
            subject = EventSubject.of_comment(number)
            partition = streams.partition_of("portal", subject)
            fields: Any = {"event": encode_event(event)}
            for key in (
                streams.key("events", partition),
                streams.key("comments", partition),
                streams.dead("search", partition),
                streams.replay("search", partition),
            ):
                await client.xadd(key, fields)
            await client.set(streams.snapshot(partition, "portal", subject), "x")
        await client.hset("b24:notifier:{1/1}:notices", "portal:7", "x")
        await client.zadd("b24:notifier:{1/1}:due", {"portal:7": 1})
        await client.xgroup_create(streams.key("comments", 0), "search", "0")

        report = json.loads(
            await gateway(
                cluster_url,
                *("erase", "--portal", "portal", "--yes", "--json", "--rewrite-aof"),
                GATEWAY_REDIS_PARTITIONS="4",
            )
        )

        assert report["aof_rewritten"]
        found = report["erased"]["found"]
        assert [found[name] for name in ("events", "comments", "dead letters", "redeliveries")] == [
            20
        ] * 4
        assert found["snapshots"] == 20
        assert found["notices that waited"] == 1
        assert await keys_with(client, "portal") == []
    finally:
        await client.aclose()


async def test_a_portal_that_is_still_registered_keeps_its_access(
    redis: Redis, redis_url: str
) -> None:
    await PortalFacts(redis, prefix="b24").learn("portal", domain="acme.example")
    await redis.hset("b24:oauth:{portal}", "sealed", "x")
    portals = '[{"member_id":"portal","domain":"acme.example","application_tokens":["fake"]}]'

    report = json.loads(
        await gateway(
            redis_url, "erase", "--portal", "portal", "--yes", "--json", GATEWAY_PORTALS=portals
        )
    )

    assert "still registered" in report["out_of_reach"][-1]
    assert await redis.exists("b24:oauth:{portal}") == 1
    assert (await PortalFacts(redis, prefix="b24").of("portal")).domain == "acme.example"


async def test_what_is_erased_of_a_portal_that_asked_for_it_is_the_mark_too(
    redis: Redis, redis_url: str
) -> None:
    facts = PortalFacts(redis, prefix="b24")
    await facts.learn("portal", domain="acme.example", erasure_due_since=datetime.now(UTC))
    await redis.xadd(COMMENTS, {"event": encode_event(comment_event(1))})

    said = json.loads(await gateway(redis_url, "portals", "erased", "portal", "--json"))

    assert (said["member_id"], said["is_registered"], said["erased"] > 0) == ("portal", False, True)
    assert await keys_with(redis, "portal") == []


async def test_a_user_with_the_documented_rights_may_erase(
    redis: Redis, redis_url: str, users: Any, limited_url: str
) -> None:
    await users(*rights_of("eraser"))
    await redis.xadd(COMMENTS, {"event": encode_event(comment_event(1))})
    await redis.xgroup_create(COMMENTS, "late", "0")
    for key in (STREAMS.dead("late", 0), STREAMS.replay("late", 0)):
        await redis.xadd(key, {"event": encode_event(comment_event(1))})
    await redis.hset("b24:notifier:{1/1}:notices", "portal:1", "x")

    await gateway(limited_url, "erase", "--portal", "portal", "--yes")

    client: Any = redis
    assert await client.execute_command("ACL", "LOG") == []
    assert await keys_with(redis, "portal") == []
