"""The consumers of this project as processes, each as a user with just its documented rights."""

import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from gateway.sandbox.assembly import open_sandbox
from tests.integration.enricher.conftest import Scene
from tests.integration.enricher.test_process import environment
from tests.integration.notifier.processes import comment_event as notice_of
from tests.integration.notifier.processes import is_reading, notifier_process
from tests.integration.notifier.processes import publish as publish_notices
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.integration.relay.receivers import Receiver, receiver
from tests.integration.relay.relaying import are_there, endpoint, relay_process
from tests.integration.runtime.running import comment_event, publish, settled
from tests.integration.warehouse.opening import environment as of_warehouse
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.redis_users import denied, rights_of

EVENTS, COMMENTS = "b24:events:{0}", "b24:comments:{0}"

pytestmark = pytest.mark.timeout(300)  # processes that start


@pytest.fixture
async def scene(redis: Redis, redis_url: str) -> AsyncIterator[Scene]:
    async with open_sandbox() as sandbox:
        yield Scene(redis, redis_url, sandbox)


@pytest.mark.parametrize("name", ["audit", "warehouse"])
async def test_the_documented_rights_of_the_audit_log_and_the_warehouse_suffice(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path, empty_warehouse: Path, name: str
) -> None:
    shutil.copy(empty_warehouse, tmp_path / "warehouse.duckdb")
    stream = EVENTS if name == "audit" else COMMENTS
    more = of_warehouse(tmp_path) | {"GATEWAY_AUDIT_DIR": str(tmp_path / "audit")}
    await users(*rights_of(name))
    await publish(redis, stream, [comment_event(1)])
    for _ in range(2):  # the second one finds what the first one has left
        await publish(redis, stream, [comment_event(2)])
        with service(limited_url, tmp_path, name=name, **more):
            await eventually(lambda: settled(redis, stream, name), timeout_s=90)

    assert await denied(redis) == []


async def test_the_documented_rights_of_the_enricher_suffice(
    scene: Scene, users: Any, limited_url: str, tmp_path: Path
) -> None:
    portal = await scene.portal()
    one, other = scene.written(portal, 2)
    await users(*rights_of("enricher"))
    again = environment(
        scene, GATEWAY_ENRICHER_REFETCH_AFTER_S="0.1", GATEWAY_ENRICHER_GIVE_UP_AFTER_S="0.1"
    )
    with service(limited_url, tmp_path, name="enricher", **again):
        await scene.happened(portal, one)
        await scene.until_out(1, timeout_s=90)
        portal.faults.is_down = True
        await scene.happened(portal, other)
        await scene.until_out(2, timeout_s=90)
        portal.faults.clear()
        await scene.until_out(3, timeout_s=90)  # it was asked for again

    assert await denied(scene.redis) == []


async def test_the_documented_rights_of_the_notifier_suffice(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path
) -> None:
    """Changes of a comment that become one message; then once more, by the next process."""
    await users(*rights_of("notifier"))
    async with http_sink() as sink:
        routes = f"""
            allow_private = true
            [[notifier.routes]]
            urls = ["{sink.url}"]
            window_s = 0.5
        """
        for comment_id in (1, 2):
            with notifier_process(limited_url, routes, tmp_path):
                await eventually(lambda: is_reading(redis), timeout_s=90)
                await publish_notices(redis, notice_of(comment_id), notice_of(comment_id))
                await eventually(partial(_has, sink, comment_id), timeout_s=90)
                await eventually(lambda: settled(redis, COMMENTS, "notifier"))

    assert await denied(redis) == []


async def test_the_documented_rights_of_the_relay_suffice(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path
) -> None:
    """Two endpoints, one of which is gone and therefore paused; then once more, by the next."""
    await users(*rights_of("relay"))
    async with receiver() as one, receiver() as gone:
        gone.answer = lambda _pushed: web.Response(status=410)
        endpoints = endpoint("one", one.url), endpoint("gone", gone.url)
        for count in (1, 2):
            with relay_process(limited_url, tmp_path, *endpoints) as relay:
                await eventually(lambda: are_there(redis, "one", "gone"), timeout_s=90)
                await publish_notices(redis, notice_of(count))
                await eventually(partial(_has_taken, one, count), timeout_s=90)
                await eventually(lambda: relay.lines("paused"), timeout_s=90)

    assert await denied(redis) == []


def _has_taken(one: Receiver, count: int) -> bool:
    return len(one.taken) == count


def _has(sink: HttpSink, count: int) -> bool:
    return len(sink.received) == count
