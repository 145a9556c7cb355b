"""Readers of the feed go on from their cursors when the number of partitions changes."""

from contextlib import suppress

import aiohttp
from redis.asyncio import Redis

from consumers.testing import comment_event
from tests.integration.feed.feed_client import SseEvent, following, numbers, open_feed
from tests.support.eventually import eventually
from tests.support.repartitioning import change_partitions, put_events


async def test_a_cursor_of_before_the_change_goes_on_in_order(redis: Redis, redis_url: str) -> None:
    async def put(first: int, last: int) -> None:
        events = [comment_event(number) for number in range(first, last)]
        await put_events(redis, events, stream="comments")

    await put(1, 201)
    async with open_feed(redis_url, buffer_bytes=65_536) as client:
        page = await client.page(after="oldest", limit="50")
        await change_partitions(redis, 3)
        await put(201, 401)
        await change_partitions(redis, 2)
        await put(401, 601)

        async def is_all_there() -> bool:
            try:
                return len(await client.all(page["cursor"], limit="1000")) == 550
            except (AssertionError, aiohttp.ClientError):  # while the feed is made anew
                return False

        await eventually(is_all_there)
        rest = await client.all(page["cursor"], limit="77")

    assert numbers(page) == list(range(1, 51))
    # Within a layout partitions stand side by side; a later layout comes after all of it.
    assert rest[:150] == list(range(51, 201))
    assert sorted(rest[150:350]) == list(range(201, 401))
    assert sorted(rest[350:]) == list(range(401, 601))


async def test_a_stream_ends_at_the_change_and_goes_on_where_it_was(
    redis: Redis, redis_url: str
) -> None:
    await put_events(redis, [comment_event(1)], stream="comments")
    async with open_feed(redis_url) as client:
        async with client.stream(after="oldest") as events:
            (first,) = await following(events, 1)
            await change_partitions(redis, 4)
            async for _ in events:
                pass
        await put_events(
            redis, [comment_event(number) for number in range(2, 30)], stream="comments"
        )
        rest = list[SseEvent]()

        async def is_all_there() -> bool:
            with suppress(aiohttp.ClientError, AssertionError):  # while the feed is made anew
                async with client.stream(last=first.id) as events:
                    rest[:] = await following(events, 28)
            return len(rest) == 28

        await eventually(is_all_there)

    assert sorted(one.number for one in rest) == list(range(2, 30))
