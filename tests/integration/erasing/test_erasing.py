"""A text is planted in every place that real processes put it, erased, and looked for."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Reject
from consumers.audit.record_search import RecordQuery, search
from gateway.contract import EventSubject, OtherEvent, Streams, decode_event, encode_event
from gateway.erasure_record import DATA_ERASED
from gateway.local.redis_server import RedisServer, free_port
from gateway.missed_events.comment_states import ToldBook
from gateway.portals.facts import PortalFacts
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.sandbox.assembly import open_sandbox
from gateway.settings import RetentionSettings
from gateway.traffic.portal_traffic import count_into
from tests.integration.enricher.conftest import COMMENTS, Scene
from tests.integration.enricher.test_process import environment
from tests.integration.erasing.everything import everything, in_files, keys_with
from tests.integration.notifier.processes import is_reading, notifier_process
from tests.integration.runtime.running import comment_event, gateway, running
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually
from tests.support.redis_users import rights_of

pytestmark = pytest.mark.timeout(300)  # processes that start one after another

STREAMS = Streams()
PORTAL = "acme"
PAGE = Path(__file__).parents[3] / "docs" / "personal-data.md"
PLANTED = "Their private number is 555-0100, says Anna"
ERASE = ("erase", "--portal", PORTAL, "--yes", "--json")


@pytest.fixture
async def scene(own_server: RedisServer) -> AsyncIterator[Scene]:
    client = connections.control(own_server.url)
    await client.config_set("rdbcompression", "no")
    async with open_sandbox() as sandbox:
        yield Scene(client, own_server.url, sandbox)
    await client.aclose()


async def digest_of_planted(scene: Scene) -> str:
    """The hash by which the text is remembered where it is not kept itself."""
    hashes = [comment.content_hash for _, comment, _ in await scene.out() if comment]
    digest = hashes[0]
    assert digest
    return digest


async def rejecting(scene: Scene, count: int) -> None:
    """A service that puts what it is given among the dead letters."""
    app = Consumer(group="search", stream="comments")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Reject(f"cannot index {event.id}")

    async with running(app, scene.url):

        async def are_dead() -> bool:
            return int(await scene.redis.xlen("b24:dead:search:{0}")) == count

        await eventually(are_dead)


async def plant(scene: Scene, tmp_path: Path, stack: ExitStack) -> list[int]:
    """Let the enricher, a notifier whose target is away, and a service handle two comments."""
    portal = await scene.portal(PORTAL)
    ids = [
        portal.comments.add(entity_type="deal", entity_id=2, text=text, author_id=7)
        for text in (PLANTED, "Another matter altogether")
    ]
    routes = f"""
        allow_private = true
        [[notifier.routes]]
        urls = ["json://127.0.0.1:{free_port()}/"]
        window_s = 0
    """
    stack.enter_context(notifier_process(scene.url, routes, tmp_path))
    await eventually(lambda: is_reading(scene.redis), timeout_s=60)
    settings = environment(scene, GATEWAY_ENRICHER_GIVE_UP_AFTER_S="0.1")
    stack.enter_context(service(scene.url, tmp_path, name="enricher", **settings))
    for comment_id in ids:
        await scene.happened(portal, comment_id)
    await scene.until_out(2, timeout_s=60)
    notices: list[str] = []

    async def waits_to_be_told() -> bool:
        notices[:] = [name for name in await keys_with(scene.redis, PLANTED) if "notices" in name]
        return bool(notices)

    await eventually(waits_to_be_told, timeout_s=30)
    portal.faults.page = 502
    for comment_id in ids:
        await scene.happened(portal, comment_id)
    await scene.until_out(4, timeout_s=60)
    await rejecting(scene, 4)
    await gateway(scene.url, "replay", "--group", "search", "--from", "1h")
    told = ToldBook(scene.redis, STREAMS, max_entities=10, kept_days=14.0)
    await told.catch_up()
    return ids


async def test_of_a_portal_nothing_is_left_in_redis_nor_in_its_rewritten_file(
    scene: Scene, own_server: RedisServer, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        await plant(scene, tmp_path, stack)
        digest = await digest_of_planted(scene)
        await PortalFacts(scene.redis, prefix="b24").learn(PORTAL, domain="acme.example")
        async with scene.redis.pipeline() as pipeline:
            count_into(pipeline, {PORTAL: 4}, prefix="b24", now=time.time(), watched_s=10)
            await pipeline.execute()
        for name in ("gaps", "no-queue", "care", "oauth"):
            await scene.redis.hset(f"b24:{name}:{{{PORTAL}}}", "sealed", "x")
        await scene.redis.set(f"b24:quarantine:{{{PORTAL}}}:a", "x")
        before = {name.split("{")[0] for name in await keys_with(scene.redis, PLANTED, digest)}
        assert (await scene.redis.hlen("b24:notifier:{1/1}:notices")) == 2
        of_portal = {name.split("{")[0] for name in await keys_with(scene.redis, PORTAL)}
        assert before >= {
            *("b24:comments:", "b24:dead:search:", "b24:replay:search:", "b24:told:"),
        }
        assert of_portal >= {
            *before,
            "b24:events:",
            "b24:notifier:",
            "b24:snapshot:",
            "b24:refetch:",
        }
        assert in_files(own_server, PLANTED)
        documented = PAGE.read_text()
        for name in await everything(scene.redis):
            assert f"b24:{name.split(':')[1]}" in documented, "a place that the page does not name"

        report = json.loads(await gateway(scene.url, *ERASE, "--rewrite-aof"))

        assert report["erased"]["is_whole"]
        assert await keys_with(scene.redis, PLANTED, digest, PORTAL) == []
        assert in_files(own_server, PLANTED) == []
    # The processes have ended in order, and put nothing back.
    assert await keys_with(scene.redis, PLANTED, digest, PORTAL) == []
    assert set(report["erased"]["found"]) == {
        *("events", "comments", "redeliveries", "dead letters", "notices that waited"),
        *("comments to be asked for", "snapshots", "hashes of texts", "books of the portal"),
        *("tokens", "facts"),
    }
    assert all(report["erased"]["found"].values())
    assert report["out_of_reach"][0] == "the warehouse: consumers warehouse erase --portal acme"


async def test_of_a_comment_no_command_reads_a_text_any_more_and_the_others_stay(
    scene: Scene, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        erased_id, other_id = await plant(scene, tmp_path, stack)
        digest = await digest_of_planted(scene)

        report = json.loads(await gateway(scene.url, *ERASE, "--comment", str(erased_id)))

        assert report["erased"]["is_whole"]
        assert await keys_with(scene.redis, PLANTED, digest) == []
    assert report["erased"]["found"] == {
        "comments": 2,
        "redeliveries": 2,
        "dead letters": 2,
        "notices that waited": 1,
        "comments to be asked for": 1,
        "snapshots": 1,
        "hashes of texts": 1,
    }
    kept = await everything(scene.redis)
    assert f"b24:snapshot:{{0}}:acme:{other_id}" in kept
    assert b"Another matter altogether" in kept[COMMENTS]
    for key in ("b24:dead:search:{0}", "b24:replay:search:{0}"):
        assert int(await scene.redis.xlen(key)) == 2
    assert (await scene.redis.xlen("b24:events:{0}")) == 4 + 1  # and the record
    log = logged(tmp_path, "notifier")
    assert "disappeared" not in log
    assert "were trimmed" not in log


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
            partition = streams.partition_of("portal", EventSubject.of_comment(number))
            fields: Any = {"event": encode_event(event)}
            for key in (
                streams.key("events", partition),
                streams.key("comments", partition),
                streams.dead("search", partition),
                streams.replay("search", partition),
            ):
                await client.xadd(key, fields)
            await client.set(streams.snapshot(partition, "portal", number), "x")
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

    said = await gateway(redis_url, "portals", "erased", "portal")

    assert "is no longer marked for erasure" in said
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
