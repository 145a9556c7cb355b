"""Each event once, whatever fails: targets, processes, templates."""

import asyncio
from typing import Any

import pytest
import structlog
from aiohttp import web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import Transient
from consumers.notifier.parcel_delivery import pause_s
from gateway.contract import COMMENT_ADDED, COMMENT_DELETED
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.integration.notifier.conftest import resume, route
from tests.integration.notifier.desk import Desk
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.support.eventually import eventually


async def test_an_event_delivered_twice_by_the_stream_is_told_once(
    redis: Redis, sink: HttpSink
) -> None:
    event = comment_event(1)
    for _ in range(2):
        desk = Desk(redis, route(sink.url))
        await desk.hear(event)
        await desk.hear(event)
        await desk.work()

    assert sink.keys == [event.id]


async def test_a_dead_target_delays_no_other_and_gets_everything_later(
    redis: Redis, sink: HttpSink
) -> None:
    port = free_port()
    dead = f"json://127.0.0.1:{port}/"
    desk = Desk(redis, route(dead), route(dead, sink.url), route(sink.url))
    events = [comment_event(number) for number in range(20)]
    for event in events:
        await desk.hear(event)

    await desk.work()
    assert sorted(sink.keys) == sorted([event.id for event in events] * 2)
    assert [await outbox.size() for outbox in desk.outboxes] == [20, 20, 0, 0]

    async with http_sink(port) as revived:
        await resume(redis, desk)
        await desk.work()
    assert sorted(revived.keys) == sorted([event.id for event in events] * 2)


async def test_a_failing_target_is_tried_by_one_message_at_a_time(
    redis: Redis, sink: HttpSink
) -> None:
    sink.answer = lambda _: web.Response(status=500)
    desk = Desk(redis, route(sink.url))
    for number in range(20):
        await desk.hear(comment_event(number))
    await desk.work()
    asked = sink.asked

    await resume(redis, desk)
    await desk.work()

    assert sink.asked == asked + 1


async def test_messages_that_fail_together_are_one_failure(redis: Redis, sink: HttpSink) -> None:
    sink.answer = lambda _: web.Response(status=500)
    desk = Desk(redis, route(sink.url))
    for number in range(20):
        await desk.hear(comment_event(number))
    with capture_logs() as lines:
        await desk.work()
        await resume(redis, desk)
        await desk.work()

    failed = [line["failures"] for line in lines if line["event"] == "notification failed"]
    assert failed == [1] * (sink.asked - 1) + [2]
    assert len(failed) > 2
    assert await desk.outboxes[0].paused_ms() <= 2000


async def test_retry_after_is_honoured_by_every_process(redis: Redis, sink: HttpSink) -> None:
    sink.answer = lambda _: web.Response(status=429, headers={"Retry-After": "60"})
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1))
    await desk.work()

    other = Desk(redis, route(sink.url), now_ms=desk.now_ms + 1000)
    await other.work()

    assert sink.asked == 1
    assert 55_000 < await desk.outboxes[0].paused_ms() <= 60_000


def test_a_target_that_asks_for_nothing_is_left_alone_for_longer_each_time() -> None:
    assert [pause_s(failures, None) for failures in (1, 2, 3, 10, 1000)] == [1, 2, 4, 300, 300]
    assert pause_s(5, 7.5) == 7.5


async def test_the_backlog_of_a_dead_target_is_bounded_and_told(redis: Redis) -> None:
    desk = Desk(redis, route(f"json://127.0.0.1:{free_port()}/", max_backlog=5))
    events = [comment_event(number) for number in range(8)]
    for event in events:
        desk.now_ms += 1
        await desk.hear(event)

    with capture_logs() as lines:
        await desk.work()

    assert await desk.outboxes[0].size() == 5
    told = [line for line in lines if line["event"] == "notification given up"]
    assert [line["event_id"] for line in told] == [event.id for event in events[:3]]
    assert {line["reason"] for line in told} == {"backlog full"}


async def test_an_edit_while_its_comment_is_being_told_is_told_after_it(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1, COMMENT_ADDED))
    sink.delay_s = 0.2
    (sender,) = desk.senders
    await sender.round()
    await desk.hear(comment_event(1))
    await desk.hear(comment_event(1))
    await sender.round()
    assert sink.asked <= 1
    await sender.finish()

    await desk.work()

    assert sink.bodies == ["1 added x1", "1 updated x2"]


async def test_a_message_whose_answer_was_lost_is_sent_again_as_it_was(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink.url))
    first, second, third = (comment_event(1) for _ in range(3))
    await desk.hear(first)
    sink.delay_s = 2.0  # it has taken the message, and the sender waits for one second
    await desk.work()
    await desk.hear(second)
    await resume(redis, desk)
    sink.delay_s, sink.answer = 0.0, lambda _: web.Response(status=503)
    await desk.work()
    await desk.hear(third)
    sink.answer = lambda _: web.Response()
    await resume(redis, desk)
    await desk.work()

    assert sink.keys == [first.id, first.id, third.id]
    assert sink.bodies[0] == sink.bodies[1]
    assert sink.bodies[2].endswith("x2")


async def test_a_comment_deleted_while_its_target_fails_is_not_told(
    redis: Redis, sink: HttpSink
) -> None:
    sink.answer = lambda _: web.Response(status=500)
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1, COMMENT_ADDED))
    await desk.hear(comment_event(2, COMMENT_ADDED))
    await desk.work()
    await desk.hear(comment_event(1, COMMENT_DELETED))
    sink.answer = lambda _: web.json_response({})

    await resume(redis, desk)
    await desk.work()

    assert sink.bodies == ["2 added x1"]


async def test_a_template_that_fails_on_one_event_gives_way_to_the_default_one(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink.url, body="{{ 1 // (comment.id - 13) }}"))
    await desk.hear(comment_event(13))

    with capture_logs() as lines:
        await desk.work()

    assert sink.bodies == ["Comment 13 was updated by user 7, 18 Dec 2025 08:18 UTC."]
    assert lines[0]["event"] == "template failed, the default one is used"


async def test_an_outbox_leaves_nothing_behind_but_keys_that_expire(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink.url))
    for number in range(5):
        await desk.hear(comment_event(number))
    await desk.work()

    for key in await redis.keys("*"):
        assert await redis.ttl(key) > 0, key


async def test_all_keys_of_a_target_share_a_slot(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(f"json://127.0.0.1:{free_port()}/", name="sales"), route(sink.url))
    await desk.hear(comment_event(1))
    await desk.work()

    tags = {str(key).partition("}")[0] for key in await redis.keys("*")}

    assert tags == {"b'b24:notifier:{sales/1", "b'b24:notifier:{2/1"}


async def test_an_outcome_is_written_down_when_redis_is_back(
    own_server: RedisServer, sink: HttpSink
) -> None:
    redis = connections.control(own_server.url)
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1))
    sink.delay_s = 0.3
    (sender,) = desk.senders
    await sender.round()
    await eventually(lambda: sink.asked == 1)
    own_server.kill()
    finishing = asyncio.create_task(sender.finish())
    with pytest.raises(Transient):
        await desk.hear(comment_event(2))
    assert not finishing.done()

    await asyncio.to_thread(own_server.start)
    await finishing

    await desk.work(after_s=600)
    assert len(sink.received) == 1
    assert await desk.outboxes[0].size() == 0
    await redis.aclose()


@pytest.mark.parametrize("status", [200, 500])
async def test_a_line_that_cannot_be_logged_has_nobody_told_again(
    redis: Redis, sink: HttpSink, status: int
) -> None:
    def fail(_logger: Any, _method: str, line: Any) -> Any:
        raise OSError(28, "No space left on device", line["event"])

    sink.answer = lambda _: web.Response(status=status)
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(999))
    before = structlog.get_config()
    structlog.configure(processors=[fail])
    try:
        await desk.senders[0].round()
        await desk.senders[0].finish()
    finally:
        structlog.configure(**before)

    assert sink.asked == 1
    left = await desk.outboxes[0].oldest(1)
    assert [due.notice.lease for due in left] == ([] if status == 200 else [""])


async def test_events_and_outcomes_wait_while_redis_refuses_to_write(
    own_server: RedisServer, sink: HttpSink
) -> None:
    redis = connections.control(own_server.url)
    desk = Desk(redis, route(sink.url))
    await desk.hear(comment_event(1))
    sink.delay_s = 0.3
    (sender,) = desk.senders
    await sender.round()
    await eventually(lambda: sink.asked == 1)
    await redis.acl_setuser("default", enabled=True, nopass=True, commands=["-hset", "-hdel"])
    with capture_logs() as lines:
        finishing = asyncio.create_task(sender.finish())
        with pytest.raises(Transient, match="denies it"):
            await desk.hear(comment_event(2))
        await eventually(lambda: [one["event"] for one in lines] == ["an outcome waits for Redis"])
        assert not finishing.done()

    await redis.acl_setuser("default", enabled=True, nopass=True, commands=["+hset", "+hdel"])
    await finishing

    await desk.hear(comment_event(2))
    await desk.work(after_s=600)
    assert len(sink.received) == 2
    assert await desk.outboxes[0].size() == 0
    await redis.aclose()
