"""Messages that a target refuses: which are given up, which wait, and what others get."""

import pytest
from aiohttp import web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.contract import Comment
from tests.integration.notifier.conftest import resume, route
from tests.integration.notifier.desk import Desk, with_text
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.sinks import HttpSink, Received


async def test_a_message_that_a_target_refuses_is_given_up_and_the_others_go_on(
    redis: Redis, sink: HttpSink
) -> None:
    refused = comment_event(1)
    sink.answer = lambda received: web.Response(status=400 if received.key == refused.id else 200)
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(2))
    await desk.work()
    for event in (refused, *map(comment_event, range(3, 12))):
        desk.now_ms += 1
        await desk.hear(event)

    with capture_logs() as lines:
        await desk.work()

    assert len(sink.received) == 10
    assert await desk.outboxes[0].size() == 0
    assert await desk.outboxes[0].paused_ms() == 0
    (line,) = (line for line in lines if line["log_level"] == "error")
    assert (line["event"], line["event_id"]) == ("notification given up", refused.id)
    assert line["reason"] == "refused"
    assert line["answer"].startswith("HTTP 400: ")


async def test_a_message_that_a_target_refuses_first_of_all_lets_the_others_go_first(
    redis: Redis, sink: HttpSink
) -> None:
    refused = comment_event(1)
    sink.answer = lambda received: web.Response(status=422 if received.key == refused.id else 200)
    desk = Desk(redis, route(sink.url))
    for event in (refused, *map(comment_event, range(2, 12))):
        desk.now_ms += 1
        await desk.hear(event)

    for _ in range(3):
        await desk.work()
        await resume(redis, desk)

    assert len(sink.received) == 10
    assert await desk.outboxes[0].size() == 0


async def test_a_target_that_refuses_everything_has_failed_and_loses_nothing(
    redis: Redis, sink: HttpSink
) -> None:
    sink.answer = lambda _: web.Response(status=400)
    desk = Desk(redis, route(sink.url, max_age_s=86_400.0, timeout_s=10.0))
    for number in range(5):
        await desk.hear(comment_event(number))

    for _ in range(20):
        await desk.work()
        assert await desk.outboxes[0].paused_ms() <= 32_000
        await resume(redis, desk)
    assert await desk.outboxes[0].size() == 5

    sink.answer = lambda _: web.Response()
    for _ in range(2):
        await desk.work()
        await resume(redis, desk)
    assert len(set(sink.keys)) == 5


async def test_a_message_that_a_target_refuses_for_its_form_comes_in_plain_words(
    redis: Redis, sink: HttpSink
) -> None:
    """As of a service that takes less than Apprise knows, or parses what it should not."""

    def answer(received: Received) -> web.Response:
        body = received.body["message"]
        return web.Response(status=400 if "<b>" in body or len(body) > 2500 else 200)

    sink.answer = answer
    desk = Desk(redis, {"urls": (f"{sink.url}?format=html",), "window_s": 0.0})
    event = comment_event(999)
    comment = Comment(
        state="present",
        text="[b]one[/b] & [i]two[/i] " * 200,
        entity_type="deal",
        entity_id=2,
    )
    await desk.hear(with_text(event, comment))

    with capture_logs() as lines:
        await desk.work()

    ((body),) = sink.bodies
    assert body.startswith("&gt; one &amp; two one")
    assert "…<br>" in body
    assert body.endswith("Open in Bitrix24: https://acme.bitrix24.com/crm/deal/details/2/")
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
        "notification refused, sent in plain words"
    ]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_what_is_no_refusal_of_a_message_is_tried_once_and_again_later(
    redis: Redis, sink: HttpSink, status: int
) -> None:
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1))
    await desk.work()
    sink.answer = lambda _: web.Response(status=status)
    await desk.hear(comment_event(2))

    await desk.work()

    assert sink.asked == 2
    assert await desk.outboxes[0].size() == 1
