"""`gateway explain` on what the notifier did: sent, held back, joined, withdrawn, given up."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from consumers.testing import comment_event, entity_event
from gateway.contract import Comment, CommentEvent, FetchedObject, encode_event
from tests.integration.explanation.asked import explained, told
from tests.integration.notifier.processes import is_reading, notifier_process
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.support.eventually import eventually

ROUTES = """
    allow_private = true
    [[notifier.routes]]
    name = "ops"
    urls = ["{url}"]
    {more}
"""


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as one:
        yield one


class Told:
    """Events on both streams, and what is said of them with the notifier's settings."""

    def __init__(self, redis: Redis, url: str, directory: Path) -> None:
        self._redis = redis
        self._url = url
        self._directory = directory

    async def happens(self, comment_id: int, change: Any = "updated") -> CommentEvent:
        comment = Comment(state="present", text="hello")
        event = comment_event(comment_id, change, comment=None if change == "deleted" else comment)
        for stream in ("events", "comments"):
            await self._redis.xadd(f"b24:{stream}:{{0}}", {"event": encode_event(event)})
        return event

    async def of(self, event: CommentEvent) -> dict[str, Any]:
        environ = {"GATEWAY_CONFIG": str(self._directory / "gateway.toml")}
        (found,) = (await explained(self._url, event.id, environ=environ))["notifications"]
        return dict(found)

    async def until(self, event: CommentEvent, state: str) -> dict[str, Any]:
        async def is_so() -> dict[str, Any]:
            found = await self.of(event)
            return found if found["state"] == state else {}

        return await eventually(is_so)


@pytest.fixture
def events(redis: Redis, redis_url: str, tmp_path: Path) -> Told:
    return Told(redis, redis_url, tmp_path)


async def test_what_was_sent_and_what_no_route_wanted(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink, events: Told
) -> None:
    routes = ROUTES.format(url=sink.url, more='window_s = 0\n    words = ["hello"]')
    with notifier_process(redis_url, routes, tmp_path):
        await eventually(lambda: is_reading(redis))
        sent = await events.happens(1)
        other = await events.happens(2, "deleted")
        found = await events.until(sent, "sent")
        unwanted = await events.until(other, "not taken")

    assert len(sink.received) == 1
    assert (found["target"], found["by_event"]) == ("ops/1", None)
    assert found["at"] > sent.receivedat
    assert unwanted["at"] is None
    environ = {"GATEWAY_CONFIG": str(tmp_path / "gateway.toml")}
    assert "notification  ops/1: sent at " in await told(redis_url, sent.id, environ=environ)


async def test_a_deal_is_explained_as_a_comment_is(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink
) -> None:
    more = 'window_s = 600\n    events = ["bitrix24.crm.deal.*"]'
    found = FetchedObject(state="unavailable", reason="access_denied")
    first, second = (entity_event("deal/77", object=found) for _ in range(2))
    environ = {"GATEWAY_CONFIG": str(tmp_path / "gateway.toml")}
    with notifier_process(redis_url, ROUTES.format(url=sink.url, more=more), tmp_path):
        await eventually(lambda: is_reading(redis))
        for event in (first, second):
            for stream in ("events", "comments"):
                await redis.xadd(f"b24:{stream}:{{0}}", {"event": encode_event(event)})

        async def waits() -> bool:
            way = await explained(redis_url, second.id, environ=environ)
            return bool(way["notifications"][0]["state"] == "waits")

        await eventually(waits)
        way = await explained(redis_url, first.id, environ=environ)
        text = await told(redis_url, first.id, environ=environ)

    (joined,) = way["notifications"]
    assert (joined["state"], joined["by_event"]) == ("waits", second.id)
    assert (way["comment"], way["object"]["state"]) == (None, "unavailable")
    assert "object          unavailable (access_denied)" in text
    assert f"consumers warehouse find {first.id}" in text


async def test_what_waits_what_joins_it_and_what_withdraws_it(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink, events: Told
) -> None:
    routes = ROUTES.format(
        url=sink.url, more='window_s = 600\n    events = ["bitrix24.crm.timeline.comment.updated"]'
    )
    with notifier_process(redis_url, routes, tmp_path):
        await eventually(lambda: is_reading(redis))
        first, alone = await events.happens(1), await events.happens(2)
        waiting = await events.until(first, "waits")
        second = await events.happens(1)
        await events.until(second, "waits")
        joined = await events.of(first)
        deletion = await events.happens(2, "deleted")
        withdrawn = await events.until(alone, "withdrawn")

    assert waiting["at"] > first.receivedat
    assert (joined["state"], joined["by_event"]) == ("waits", second.id)
    assert withdrawn["by_event"] == deletion.id
    assert sink.received == []


async def test_what_was_joined_is_sent_with_the_later_event(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink, events: Told
) -> None:
    with notifier_process(redis_url, ROUTES.format(url=sink.url, more="window_s = 3"), tmp_path):
        await eventually(lambda: is_reading(redis))
        first = await events.happens(1)
        second = await events.happens(1)
        await events.until(second, "sent")

    assert (await events.of(first))["by_event"] == second.id
    assert (await events.of(first))["state"] == "sent"


async def test_what_fails_waits_with_its_tries_and_is_given_up_when_it_is_too_old(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink, events: Told
) -> None:
    sink.answer = lambda _received: web.Response(status=503)
    routes = ROUTES.format(url=sink.url, more="window_s = 0\n    max_age_s = 4")
    with notifier_process(redis_url, routes, tmp_path):
        await eventually(lambda: is_reading(redis))
        event = await events.happens(1)

        async def has_failed() -> bool:
            return bool((await events.of(event))["tries"])

        await eventually(has_failed)
        found = await events.until(event, "given up")

    assert found["reason"] == "too old"
    assert sink.received == []


async def test_quiet_hours_hold_back(
    redis: Redis, redis_url: str, tmp_path: Path, sink: HttpSink, events: Told
) -> None:
    routes = ROUTES.format(url=sink.url, more="window_s = 0\n    max_per_hour = 1")
    with notifier_process(redis_url, routes, tmp_path):
        await eventually(lambda: is_reading(redis))
        first = await events.happens(1)
        await events.until(first, "sent")
        second = await events.happens(2)
        held = await events.until(second, "held")

    assert held["at"] > second.receivedat
