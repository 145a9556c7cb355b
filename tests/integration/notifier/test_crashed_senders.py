"""A process that ends, or loses its lease, while it sends: nobody is told twice unseen."""

import asyncio

from aiohttp import web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.integration.notifier.conftest import route
from tests.integration.notifier.desk import Desk
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.sinks import HttpSink
from tests.support.eventually import eventually


async def crash_while_sending(desk: Desk, sink: HttpSink) -> None:
    """The sink has taken the message, and the process dies before it writes that down."""
    sink.delay_s = 0.3
    (sender,) = desk.senders
    await sender.round()
    await eventually(lambda: sink.asked == 1)
    await desk.crash_sender()
    await asyncio.sleep(0)
    sink.delay_s = 0.0


async def test_a_message_cut_off_by_a_crash_is_sent_again_under_the_same_id(
    redis: Redis, sink: HttpSink
) -> None:
    before = Desk(redis, route(sink.url))
    event = comment_event(1)
    await before.hear(event)
    await crash_while_sending(before, sink)

    after = Desk(redis, route(sink.url), now_ms=before.now_ms)
    await after.work()
    assert sink.keys == [event.id], "as long as the lease lasts, the first process may be alive"
    await after.work(after_s=60)
    await after.work(after_s=60)

    assert sink.keys == [event.id, event.id]


async def test_a_message_cut_off_by_a_crash_is_dropped_and_told_if_so_set(
    redis: Redis, sink: HttpSink
) -> None:
    before = Desk(redis, route(sink.url, after_crash="drop"))
    event = comment_event(1)
    await before.hear(event)
    await crash_while_sending(before, sink)

    after = Desk(redis, route(sink.url, after_crash="drop"), now_ms=before.now_ms)
    with capture_logs() as lines:
        await after.work(after_s=60)

    assert sink.keys == [event.id]
    assert [(line["event_id"], line["reason"]) for line in lines] == [
        (event.id, "cut off by a crash")
    ]


async def test_a_process_that_lost_its_lease_changes_nothing(redis: Redis, sink: HttpSink) -> None:
    slow, quick = (Desk(redis, route(sink.url)) for _ in range(2))
    await slow.hear(comment_event(1))
    sink.delay_s = 0.3
    await slow.senders[0].round()
    await eventually(lambda: sink.asked == 1)
    sink.delay_s = 0.0
    quick.now_ms += 60_000
    sink.answer = lambda _: web.Response(status=500)
    await quick.work()

    await slow.senders[0].finish()

    (waiting,) = await quick.outboxes[0].oldest(10)
    assert waiting.notice.tries == 1
