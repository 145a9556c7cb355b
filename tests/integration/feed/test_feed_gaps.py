"""Whoever would miss events is told so, and where to go on; nobody else is."""

import asyncio
from typing import Any

import pytest
from msgspec import json
from redis.asyncio import Redis

from consumers.testing import comment_event
from tests.integration.feed.feed_client import FeedClient, following, numbers, open_feed, put
from tests.support.eventually import eventually

KEY = "b24:comments:{0}"
SMALLEST = 65_536
"""Of memory: some fifty events."""


async def gone(client: FeedClient, cursor: str) -> Any:
    """The answer to a cursor from which nobody can go on."""
    status, answer = await client.get(after=cursor)
    assert status == 410, answer
    return answer


async def test_a_cursor_behind_which_events_were_trimmed_is_told_the_first_there_is(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 501)])
    async with open_feed(redis_url, buffer_bytes=SMALLEST) as client:
        read = (await client.page(after="oldest", limit="100"))["cursor"]
        await redis.xtrim(KEY, maxlen=300, approximate=False)
        answer = await gone(client, read)

        assert answer["reason"] == "trimmed"
        assert await client.all(answer["cursor"]) == list(range(201, 501))
        assert await client.all("oldest") == list(range(201, 501))


async def test_who_had_read_all_that_was_trimmed_misses_nothing(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 501)])
    async with open_feed(redis_url, buffer_bytes=SMALLEST) as client:
        read = (await client.page(after="oldest", limit="200"))["cursor"]
        await redis.xtrim(KEY, maxlen=300, approximate=False)

        assert await client.all(read) == list(range(201, 501))


async def test_a_stream_that_was_made_anew_is_told(redis: Redis, redis_url: str) -> None:
    await put(redis, [comment_event(number) for number in range(1, 11)])
    async with open_feed(redis_url) as client:
        read = (await client.page(after="oldest"))["cursor"]
    await redis.delete(KEY)
    await put(redis, [comment_event(number) for number in range(21, 41)])
    async with open_feed(redis_url) as client:
        answer = await gone(client, read)

        assert answer["reason"] == "forgotten"
        assert await client.all(answer["cursor"]) == list(range(21, 41))


async def test_a_stream_of_events_is_refused_from_a_cursor_that_is_gone(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 501)])
    async with open_feed(redis_url, buffer_bytes=SMALLEST) as client:
        read = (await client.page(after="oldest", limit="10"))["cursor"]
        await redis.xtrim(KEY, maxlen=300, approximate=False)
        headers = client.headers | {"Last-Event-ID": read}
        async with client.session.get(f"{client.url}/events/stream", headers=headers) as answer:
            assert answer.status == 410
            resume = (await answer.json())["cursor"]
        async with client.stream(last=resume) as events:
            assert (await following(events, 1))[0].number == 201


async def test_a_client_who_falls_behind_what_is_trimmed_is_told_within_its_stream(
    redis: Redis, redis_url: str
) -> None:
    """It does not read for so long that what it was to be sent next is gone meanwhile."""
    await put(redis, [comment_event(number) for number in range(1, 5001)])
    async with open_feed(redis_url, buffer_bytes=SMALLEST) as client:
        async with client.stream(after="oldest") as events:
            seen = await following(events, 1)
            await redis.xtrim(KEY, maxlen=100, approximate=False)
            async with asyncio.timeout(40):
                async for event in events:
                    if event.event == "gone":
                        break
                    seen.append(event)
        answer = json.decode(event.data)

        assert answer["reason"] == "trimmed"
        last = seen[-1].number
        assert [event.number for event in seen if event.data] == list(range(1, last + 1))
        assert last < 4900
        assert await client.all(answer["cursor"]) == list(range(4901, 5001))


async def test_who_follows_is_told_that_the_stream_is_another_one(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.feed.stream_tail.LOOK_S", 0.1)
    await put(redis, [comment_event(1)])
    async with open_feed(redis_url) as client, client.stream(after="oldest") as events:
        await following(events, 1)
        await redis.delete(KEY)
        (told,) = await following(events, 1)

        assert (told.event, json.decode(told.data)["reason"]) == ("gone", "forgotten")


async def test_what_is_erased_on_request_is_no_gap(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.feed.stream_tail.LOOK_S", 0.1)
    await put(redis, [comment_event(number) for number in range(1, 11)])
    async with open_feed(redis_url) as client, client.stream(after="oldest") as events:
        seen = await following(events, 10)
        page: Any = await redis.xrange(KEY)
        await redis.xdel(KEY, page[4][0], page[9][0])
        await put(redis, [comment_event(11)])
        (event,) = await following(events, 1)
        assert event.number == 11

        for one in seen:
            assert numbers(await client.page(after=one.id))[-1] == 11
    async with open_feed(redis_url) as client:
        for one in seen:
            assert (await client.all(one.id))[-1] == 11


async def test_entries_that_come_and_go_unread_are_told(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.feed.stream_tail.LOOK_S", 0.1)
    await put(redis, [comment_event(1)])
    async with open_feed(redis_url) as client:
        read = (await client.page(after="oldest"))["cursor"]
        async with redis.pipeline(transaction=True) as both:
            both.xadd(KEY, {"event": "{}"})
            both.xtrim(KEY, maxlen=0, approximate=False)
            await both.execute()

        async def is_told() -> bool:
            return (await client.get(after=read))[0] == 410

        await eventually(is_told)
        answer = await gone(client, read)
        await put(redis, [comment_event(2)])
        assert await client.all(answer["cursor"]) == [2]


async def test_an_entry_that_is_no_event_is_passed_over(redis: Redis, redis_url: str) -> None:
    await put(redis, [comment_event(1)])
    await redis.xadd(KEY, {"event": "{}"})
    await redis.xadd(KEY, {"other": "x"})
    await put(redis, [comment_event(2)])
    async with open_feed(redis_url) as client:
        assert await client.all("oldest", limit="1") == [1, 2]
