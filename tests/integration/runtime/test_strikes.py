"""What an operator strikes becomes a dead letter, and no handler is called with it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent
from consumers.testing import comment_event
from gateway.contract import DeadLetter, EventSelection
from gateway.ops.group_interventions import lift_strikes, strike_events
from tests.integration.runtime.pausable import GROUP, KEY, KINDS, STREAMS, noting, pause, resume
from tests.integration.runtime.running import publish, running, settled
from tests.support.eventually import eventually


async def strike(redis: Redis, **what: str) -> None:
    selection = EventSelection(**what)
    await strike_events(redis, STREAMS, GROUP, selection, now=datetime.now(UTC))


async def letters(redis: Redis) -> list[DeadLetter]:
    entries: Any = await redis.xrange(STREAMS.dead(GROUP, 0))
    return [DeadLetter.of(fields) for _, fields in entries]


def ids_of(handled: Sequence[CommentEvent]) -> set[str]:
    return {event.id for event in handled}


@pytest.mark.parametrize("kind", KINDS)
async def test_no_handler_sees_what_is_struck(redis: Redis, redis_url: str, kind: str) -> None:
    handled: list[CommentEvent] = []
    events = [comment_event(number % 5 + 1, member_id="aaa") for number in range(50)]
    other = comment_event(2, member_id="bbb")
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await strike(redis, event_id=events[0].id)
    await strike(redis, subject="comment/2", portal="aaa")
    await publish(redis, KEY, [*events, other])
    async with running(noting(kind, handled), redis_url):
        await eventually(lambda: settled(redis, KEY, GROUP))
        struck = [*events[:1], *(event for event in events if event.data.comment_id == 2)]
        assert ids_of(handled) == ids_of([*events, other]) - ids_of(struck)
        assert {letter.reason for letter in await letters(redis)} == {"struck"}
        # More than twenty dead letters, and a fifth of all: they stop no consumer.
        assert len(await letters(redis)) == len(struck) == 11

        lifted = await lift_strikes(redis, STREAMS, GROUP, None)
        assert len(lifted) == 2
        again = comment_event(2, member_id="aaa")

        async def is_handled_again() -> bool:
            await publish(redis, KEY, [again])
            return again.id in ids_of(handled)

        await eventually(is_handled_again)
        await eventually(lambda: settled(redis, KEY, GROUP))


async def test_what_waits_for_the_end_of_a_pause_is_struck(redis: Redis, redis_url: str) -> None:
    handled: list[CommentEvent] = []
    events = [comment_event(number, member_id="aaa") for number in range(1, 41)]
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await publish(redis, KEY, events)
    await pause(redis, portal="aaa")
    async with running(noting("events", handled), redis_url):
        await strike(redis, subject="comment/7")

        async def is_struck() -> bool:
            return len(await letters(redis)) == 1

        await eventually(is_struck)
        assert handled == []
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert len(handled) == 39
    assert b'"comment/7"' in (await letters(redis))[0].event


async def test_many_that_are_struck_do_not_stop_the_consumer(redis: Redis, redis_url: str) -> None:
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await strike(redis, portal="aaa")
    await publish(redis, KEY, [comment_event(n, member_id="aaa") for n in range(1, 200)])
    async with running(noting("batches", []), redis_url):
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert len(await letters(redis)) == 199


@pytest.mark.parametrize("kind", KINDS)
async def test_what_has_ended_processes_is_struck_before_it_ends_another(
    redis: Redis, redis_url: str, kind: str
) -> None:
    handled: list[CommentEvent] = []
    events = [comment_event(number, member_id="aaa") for number in (1, 2)]
    await publish(redis, KEY, events)
    await redis.xgroup_create(KEY, GROUP, "0")
    taken: Any = await redis.xreadgroup(GROUP, "owner", {KEY: ">"})
    ids = [entry_id for entry_id, _fields in taken[KEY.encode()]]
    await redis.xclaim(KEY, GROUP, "owner", 0, ids[:1], retrycount=4, justid=True)
    await strike(redis, event_id=events[0].id)
    async with running(noting(kind, handled), redis_url):
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert ids_of(handled) == {events[1].id}
    assert [letter.reason for letter in await letters(redis)] == ["struck"]
