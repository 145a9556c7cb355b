"""The enricher as a process of its own: killed in the midst of its work, and what it gives away."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from redis.asyncio import Redis

from consumers import Partition
from consumers.enricher.refetch_queue import RefetchQueue
from consumers.testing import comment_event
from gateway.contract import FailedAttempt, Streams, encode_event
from tests.integration.enricher.conftest import COMMENTS, Scene
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually


def environment(scene: Scene, **more: str) -> dict[str, str]:
    settings = scene.settings()
    return {
        "GATEWAY_PORTALS": msgspec.json.encode(settings.portals).decode(),
        "GATEWAY_VAULT_KEYS": scene.key,
        "GATEWAY_BITRIX24_REQUESTS_PER_S": "200",
        "GATEWAY_BITRIX24_BURST": "200",
        "GATEWAY_CONSUMERS_LEASE_S": "2",
    } | more


async def test_a_killed_enricher_leaves_every_event_on_comments_once(
    scene: Scene, redis_url: str, tmp_path: Path
) -> None:
    portals = [await scene.portal(member_id) for member_id in ("a", "b", "c")]
    for portal in portals:
        portal.faults.delay_s = 0.05
    events = [
        comment_event(comment_id, member_id=portal.member_id)
        for portal in portals
        for comment_id in scene.written(portal, 600)
        for _ in range(2)
    ]
    events.sort(key=lambda event: hash(event.id))
    await scene.publish(events)
    with service(redis_url, tmp_path, name="enricher", **environment(scene)) as process:
        await scene.until_out(1000)
        process.kill()
    assert await scene.redis.xlen(COMMENTS) < len(events)
    with service(redis_url, tmp_path, name="enricher", **environment(scene)):
        await scene.until_settled(timeout_s=30)

    out = await scene.out()
    assert Counter(event_id for event_id, _comment, _is_old in out) == Counter(
        event.id for event in events
    )
    assert {comment.state for _id, comment, _is_old in out if comment} == {"present"}


async def test_what_portals_are_called_by_is_nowhere_to_be_seen(
    scene: Scene, redis_url: str, tmp_path: Path
) -> None:
    portal = await scene.portal()
    down = await scene.portal("down")
    down.faults.page = 502
    with service(
        redis_url,
        tmp_path,
        name="enricher",
        **environment(scene, GATEWAY_ENRICHER_GIVE_UP_AFTER_S="0.1", GATEWAY_CONSUMERS_PORT="0"),
    ):
        for one in (portal, down):
            await scene.happened(one, *scene.written(one, 1))
        await scene.until_settled()
        await scene.until_out(2)
        logs = logged(tmp_path, "enricher")
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", logs)
        assert found is not None
        shown = await get(found[0])

    assert "b24_enricher_unavailable_total" in shown
    stored = await everything(scene.redis)
    logs = logged(tmp_path, "enricher")
    for place in (shown.encode(), stored, logs.encode()):
        assert len(place) > 1000
        for secret in (portal.webhook_code, down.webhook_code, scene.key):
            assert secret.encode() not in place


async def test_a_portal_that_does_not_answer_is_recorded_with_its_reason(
    scene: Scene, redis_url: str, tmp_path: Path
) -> None:
    portal = await scene.portal("down")
    portal.faults.page = 502
    with service(
        redis_url,
        tmp_path,
        name="enricher",
        **environment(scene, GATEWAY_ENRICHER_GIVE_UP_AFTER_S="600"),
    ):
        event = await scene.happened(portal, *scene.written(portal, 1))

        async def recorded() -> list[FailedAttempt | None]:
            values: Any = await scene.redis.hvals("b24:failures:enricher:{0}")
            return [FailedAttempt.of(value) for value in values]

        (record,) = await eventually(recorded)
        assert record is not None
        assert (record.event_id, record.portal) == (event.id, "down")
        assert record.is_transient
        assert "502" in record.error
        assert portal.webhook_code not in record.error
        portal.faults.clear()
        await scene.until_settled()
        assert await recorded() == []


async def test_an_event_comes_again_once_however_often_the_step_is_repeated(
    scene: Scene,
) -> None:
    queue = RefetchQueue(
        scene.redis,
        Streams(),
        group="enricher",
        output="comments",
        first_s=60.0,
        kept_days=1.0,
        max_count=10,
    )
    event = comment_event(1)
    for write in queue.writes(0, event.id, encode_event(event)):
        await scene.redis.execute_command(write.command, write.key, *write.arguments)  # type: ignore[no-untyped-call]
    await scene.redis.hset("b24:lease:enricher:{0}", "epoch", "7")

    async def emit(epoch: int) -> bool:
        return await queue.emit(Partition(0, epoch), event.id, b"{}", ())

    assert not await emit(6)
    assert await scene.redis.xlen(COMMENTS) == 0
    assert [await emit(7), await emit(7)] == [True, True]
    assert await scene.redis.xlen(COMMENTS) == 1
    assert await queue.count(0) == 0


async def get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def everything(redis: Redis) -> bytes:
    """All values of the server, as they are dumped."""
    found: list[Any] = []
    for key in await redis.keys("*"):
        kind = await redis.type(key)
        match kind:
            case b"stream":
                found.append(await redis.xrange(key))
            case b"hash":
                found.append(await redis.hgetall(key))
            case b"zset":
                found.append(await redis.zrange(key, 0, -1))
            case _:
                found.append(await redis.get(key))
        found.append(key)
    return repr(found).encode()
