"""The help that services get for their own tests, used as a service would."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from consumers import CommentEvent, Consumer, Entry, Reject, Transient
from consumers.testing import (
    Delivered,
    TemporaryGateway,
    comment_event,
    deliver,
    temporary_gateway,
)

__all__ = ["deliver", "temporary_gateway"]  # the fixtures

Deliver = Callable[..., Awaitable[Delivered]]


async def test_a_list_of_events_is_handled_with_the_failures_of_production(
    deliver: Deliver,
) -> None:
    calls = 0
    app = Consumer(group="g", stream="events", max_attempts=3)

    @app.on("*.added")
    async def handle(event: CommentEvent) -> None:
        nonlocal calls
        calls += 1
        if event.data.comment_id == 2:
            raise Reject("never")
        if event.data.comment_id == 3:
            raise KeyError
        if event.data.comment_id == 4 and calls < 20:
            raise Transient("soon")

    events = [comment_event(number, "added") for number in (1, 2, 3, 4)]
    ignored = comment_event(5, "deleted")

    result = await deliver(app, [*events, ignored])

    assert result.handled == [events[0].id, events[3].id]
    assert result.ignored == [ignored.id]
    assert result.dead == {events[1].id: "rejected", events[2].id: "failed"}


async def test_a_list_of_events_reaches_a_handler_of_batches_in_order(deliver: Deliver) -> None:
    app = Consumer(group="g", stream="events")
    seen: list[str] = []

    @app.on_batch("*", max_events=3)
    async def load(entries: Sequence[Entry]) -> None:
        assert len(entries) <= 3
        assert all(entry.is_replay for entry in entries)
        seen.extend(entry.event.id for entry in entries)

    events = [comment_event(number + 1) for number in range(10)]
    result = await deliver(app, events, is_replay=True)

    assert seen == result.handled == [event.id for event in events]


async def test_an_entry_that_never_settles_fails_the_test(deliver: Deliver) -> None:
    app = Consumer(group="g", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Transient("for ever")

    with pytest.raises(TimeoutError):
        await deliver(app, [comment_event(1)], timeout_s=0.1)


async def test_a_consumer_runs_on_a_real_temporary_server(
    temporary_gateway: TemporaryGateway,
) -> None:
    app = Consumer(group="g", stream="comments", max_attempts=1)
    seen: list[int] = []

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 2:
            raise Reject("never")
        seen.append(event.data.comment_id)

    await temporary_gateway.publish("comments", [comment_event(number) for number in (1, 2, 3)])
    async with temporary_gateway.running(app):
        await temporary_gateway.settled(app)

    assert sorted(seen) == [1, 3]
    (letter,) = await temporary_gateway.dead_letters("g")
    assert (letter.reason, letter.stream) == ("rejected", "comments")
