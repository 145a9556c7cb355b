"""A text is planted in every place that real processes put it, erased, and looked for."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from consumers import CommentEvent, Consumer, Reject, Transient
from gateway.contract import Streams
from gateway.local.redis_server import RedisServer, free_port
from gateway.missed_events.comment_states import CommentStates
from gateway.portals.facts import PortalFacts
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from gateway.traffic.minute_ranking import MinuteRanking
from gateway.traffic.portal_traffic import TrafficCounter
from tests.integration.enricher.conftest import COMMENTS, Scene
from tests.integration.enricher.test_process import environment
from tests.integration.erasing.everything import everything, in_files, keys_with
from tests.integration.notifier.processes import is_reading, notifier_process
from tests.integration.runtime.running import gateway, running
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually

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


async def failing(scene: Scene) -> None:
    """A service that will try again, and says of what it tried last."""
    app = Consumer(group="mail", stream="comments")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Transient(f"cannot send {event.data.comment}")

    async with running(app, scene.url):

        async def are_recorded() -> bool:
            records = await scene.redis.hvals("b24:failures:mail:{0}")
            return any(PLANTED.encode() in record for record in records)

        await eventually(are_recorded)


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
    await failing(scene)
    await gateway(scene.url, "replay", "--group", "search", "--from", "1h")
    told = CommentStates(scene.redis, STREAMS, max_entities=10, kept_days=14.0)
    await told.catch_up()
    return ids


async def test_of_a_portal_nothing_is_left_in_redis_nor_in_its_rewritten_file(
    scene: Scene, own_server: RedisServer, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        await plant(scene, tmp_path, stack)
        digest = await digest_of_planted(scene)
        await PortalFacts(scene.redis, prefix="b24").learn(PORTAL, domain="acme.example")
        await TrafficCounter(scene.redis, prefix="b24").count({PORTAL: 4}, now=time.time())
        await MinuteRanking(scene.redis, prefix="b24").add(int(time.time() // 60), {PORTAL: 4})
        for name in ("gaps", "no-queue", "care", "oauth"):
            await scene.redis.hset(f"b24:{name}:{{{PORTAL}}}", "sealed", "x")
        await scene.redis.set(f"b24:quarantine:{{{PORTAL}}}:a", "x")
        before = {name.split("{")[0] for name in await keys_with(scene.redis, PLANTED, digest)}
        assert (await scene.redis.hlen("b24:notifier:{1/1}:notices")) == 2
        of_portal = {name.split("{")[0] for name in await keys_with(scene.redis, PORTAL)}
        assert before >= {
            *("b24:comments:", "b24:dead:search:", "b24:replay:search:", "b24:told:"),
            "b24:failures:mail:",
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
        *("events", "comments", "redeliveries", "dead letters", "failed attempts"),
        "notices that waited",
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
        "failed attempts": 1,
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
