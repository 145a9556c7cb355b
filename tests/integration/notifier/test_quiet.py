"""Quiet by design: each of these tests lets one day pass in milliseconds."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers.testing import entity_event
from gateway.contract import COMMENT_ADDED, COMMENT_DELETED, Comment
from tests.integration.notifier.desk import Desk, with_text
from tests.integration.notifier.processes import comment_event
from tests.integration.notifier.sinks import HttpSink, http_sink

HOUR_S = 3600.0


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as listening:
        yield listening


def route(sink: HttpSink, **options: Any) -> dict[str, Any]:
    return {
        "urls": (sink.url,),
        "window_s": 0.0,
        "body": "{{ comment.id }} {{ event.action }} x{{ count }}",
        "digest_body": "{% for item in items %}{{ item.comment.id }} {% endfor %}",
    } | options


async def test_edits_within_a_window_become_one_notification(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(sink, window_s=10.0))
    for _ in range(3):
        await desk.hear(comment_event(1))
    await desk.hear(comment_event(2))

    await desk.work(after_s=9.9)
    assert sink.bodies == []
    await desk.work(after_s=0.1)

    assert sorted(sink.bodies) == ["1 updated x3", "2 updated x1"]


async def test_an_edit_after_the_window_is_a_notification_of_its_own(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink, window_s=10.0))
    for _ in range(2):
        await desk.hear(comment_event(1))
        await desk.work(after_s=10)

    assert sink.bodies == ["1 updated x1", "1 updated x1"]


async def test_events_of_a_deal_are_gathered_and_withdrawn_as_those_of_a_comment(
    redis: Redis, sink: HttpSink
) -> None:
    deals = {
        "events": ("bitrix24.crm.deal.*",),
        "body": "{{ entity.kind }} {{ entity.id }} {{ event.action }} x{{ count }}",
        "digest_body": "",
    }
    desk = Desk(redis, route(sink, window_s=10.0, **deals))
    for _ in range(3):
        await desk.hear(entity_event("deal/77"))
    await desk.hear(entity_event("task/77", "bitrix24.task.updated"))
    for change in ("added", "updated", "deleted"):
        await desk.hear(entity_event("deal/78", f"bitrix24.crm.deal.{change}"))
    for change in ("updated", "deleted"):
        await desk.hear(entity_event("deal/79", f"bitrix24.crm.deal.{change}"))
    await desk.work(after_s=10)

    assert sorted(sink.bodies) == ["deal 77 updated x3", "deal 79 deleted x1"]


async def test_a_window_survives_a_restart(redis: Redis, sink: HttpSink) -> None:
    before = Desk(redis, route(sink, window_s=10.0))
    await before.hear(comment_event(1))
    after = Desk(redis, route(sink, window_s=10.0), now_ms=before.now_ms + 5000)
    await after.hear(comment_event(1))

    await after.work(after_s=5)

    assert sink.bodies == ["1 updated x2"]


async def test_a_comment_deleted_before_it_was_told_is_not_told(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(
        redis,
        route(sink, window_s=10.0),
        route(sink, window_s=10.0, events=("*.added", "*.updated"), body="edits only"),
    )
    await desk.hear(comment_event(1, COMMENT_ADDED))
    await desk.hear(comment_event(1))
    await desk.hear(comment_event(1, COMMENT_DELETED))

    await desk.work(after_s=60)

    assert sink.bodies == []
    assert [await outbox.size() for outbox in desk.outboxes] == [0, 0]


async def test_the_deletion_of_a_comment_that_people_know_is_told(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink, window_s=10.0))
    await desk.hear(comment_event(1))
    await desk.hear(comment_event(1, COMMENT_DELETED))

    await desk.work(after_s=60)

    assert sink.bodies == ["1 deleted x1"]


async def test_a_digest_comes_at_its_time(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(sink, digest_minutes=15))
    await desk.work(after_s=1)
    for number in (1, 2, 1):
        await desk.hear(comment_event(number))

    await desk.work(after_s=15 * 60 - 2)
    assert sink.bodies == []
    await desk.work(after_s=1)

    assert sink.bodies == ["1 2"]


async def test_quiet_hours_end_with_one_message(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(sink, quiet_hours="10:00-12:00"))
    for number in (1, 2, 3):
        await desk.hear(comment_event(number))
        await desk.work(after_s=60)
    assert sink.bodies == []

    await desk.work(after_s=1.5 * HOUR_S)

    assert sink.bodies == ["1 2 3"]
    assert sink.received[0].body["title"].endswith("while notifications were held back")
    await desk.hear(comment_event(4))
    await desk.work()
    assert sink.bodies[1:] == ["4 updated x1"]


async def test_what_exceeds_the_hourly_cap_comes_as_one_summary(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink, max_per_hour=2))
    for number in range(1, 6):
        await desk.hear(comment_event(number))
        await desk.work()
    assert sink.bodies == ["1 updated x1", "2 updated x1"]

    await desk.work(after_s=HOUR_S / 2)

    assert sink.bodies[2:] == ["3 4 5"]
    await desk.hear(comment_event(6))
    await desk.work()
    await desk.hear(comment_event(7))
    await desk.work()
    assert sink.bodies[3:] == ["6 updated x1"]


async def test_two_processes_do_not_exceed_the_cap_together(redis: Redis, sink: HttpSink) -> None:
    one, other = (Desk(redis, route(sink, max_per_hour=3)) for _ in range(2))
    for number in range(1, 7):
        await one.hear(comment_event(number))

    for _ in range(5):
        await one.work()
        await other.work()

    assert len(sink.bodies) == 3


async def test_events_of_our_own_users_are_not_told(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(sink), own_users=("1",))
    await desk.hear(comment_event(1, user_id=1))
    await desk.hear(comment_event(2, user_id=7))

    await desk.work()

    assert sink.bodies == ["2 updated x1"]


async def test_a_replay_is_silent(redis: Redis, sink: HttpSink) -> None:
    desk = Desk(redis, route(sink))
    await desk.hear(comment_event(1), is_replay=True)

    await desk.work(after_s=60)

    assert sink.bodies == []
    assert await redis.keys("*") == []


async def test_the_first_route_that_matches_is_the_only_one_if_so_set(
    redis: Redis, sink: HttpSink
) -> None:
    deal = Comment(state="present", text="urgent", entity_type="deal", entity_id=2)
    desk = Desk(
        redis,
        route(sink, words=("urgent",), body="urgent {{ comment.id }}"),
        route(sink, body="any {{ comment.id }}"),
        stream="comments",
        deliver="first",
    )
    await desk.hear(with_text(comment_event(1), deal))
    await desk.hear(comment_event(2))

    await desk.work()

    assert sorted(sink.bodies) == ["any 2", "urgent 1"]


async def test_a_comment_that_was_gone_when_it_was_fetched_is_not_told(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink, window_s=10.0), stream="comments")
    await desk.hear(comment_event(1))
    await desk.hear(with_text(comment_event(1), Comment(state="deleted")))

    await desk.work(after_s=60)

    assert sink.bodies == []


@pytest.mark.parametrize(
    "options",
    [
        {"window_s": 10.0},
        {"digest_minutes": 15},
        {"quiet_hours": "22:00-07:00"},
        {"max_per_hour": 20},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_what_a_clock_took_up_that_was_ahead_is_told_when_it_is_put_right(
    redis: Redis, sink: HttpSink, options: dict[str, Any]
) -> None:
    digest = "{% for item in items %}{{ item.comment.id }} updated x{{ item.count }}, {% endfor %}"
    desk = Desk(redis, route(sink, digest_body=digest, **options))
    right = desk.now_ms
    desk.now_ms += 10 * 365 * 86_400_000
    for number in (1, 2, 3):
        await desk.hear(comment_event(number))
    desk.now_ms = right
    await desk.hear(comment_event(1))

    await desk.work(after_s=16 * 60.0)

    told = " ".join(sink.bodies)
    for number in (1, 2, 3):
        assert f"{number} updated" in told
    assert "1 updated x2" in told
    assert await desk.outboxes[0].size() == 0


async def test_a_window_that_a_clock_opened_which_was_ahead_ends_after_the_next_edit(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(redis, route(sink, window_s=10.0))
    right = desk.now_ms
    desk.now_ms += 1_800_000
    await desk.hear(comment_event(1))
    desk.now_ms = right
    await desk.hear(comment_event(1))

    await desk.work(after_s=9.0)
    assert not sink.received
    await desk.work(after_s=1.0)

    assert len(sink.received) == 1
