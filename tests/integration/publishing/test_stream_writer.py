"""Several batches in one call: their order, and what a repetition does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import settings
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import NumberedBatch, StreamWriter, stream_writer
from tests.support.eventually import eventually

STREAM = "b24:events:{0}"
FIRST, SECOND = "b24:producer:{0}:first", "b24:producer:{0}:second"
BATCHES = [
    NumberedBatch(FIRST, 4, [b"a", b"b"]),
    NumberedBatch(SECOND, 1, [b"c"]),
    NumberedBatch(FIRST, 5, [b"d"]),
]


@pytest.fixture
async def writer(redis_url: str) -> AsyncIterator[StreamWriter]:
    writer = stream_writer(settings.RedisSettings(url=redis_url), settings.PublishSettings(), 0)
    yield writer
    await writer.close()


async def entries_on(redis: Redis) -> list[tuple[bytes, bytes]]:
    entries: Any = await redis.xrange(STREAM)
    return [(entry_id, fields[b"event"]) for entry_id, fields in entries]


async def test_batches_stand_in_their_order_and_each_learns_its_ids(
    redis: Redis, writer: StreamWriter
) -> None:
    ids = await writer.write_all(BATCHES)

    entries = await entries_on(redis)
    assert [event for _, event in entries] == [b"a", b"b", b"c", b"d"]
    assert [text.split() for text in ids if text is not None] == [
        [entries[0][0], entries[1][0]],
        [entries[2][0]],
        [entries[3][0]],
    ]


async def test_what_a_lost_reply_left_behind_is_recognised_and_only_the_rest_is_added(
    redis: Redis, writer: StreamWriter
) -> None:
    first_ids = await writer.write_all(BATCHES)

    ids = await writer.write_all([*BATCHES, NumberedBatch(SECOND, 2, [b"e"])])

    entries = await entries_on(redis)
    assert [event for _, event in entries] == [b"a", b"b", b"c", b"d", b"e"]
    # Of a producer the last batch is remembered; the one before it must have been stored.
    assert ids == [b"", first_ids[1], first_ids[2], entries[-1][0]]


async def test_a_server_without_memory_takes_all_of_them_or_none(
    redis: Redis, writer: StreamWriter
) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StreamUnavailable, match="^refused"):
            await writer.write_all(BATCHES)
    finally:
        await redis.config_set("maxmemory", "0")

    assert await redis.exists(STREAM, FIRST, SECOND) == 0


async def test_a_connected_writer_begins_a_batch_without_a_task_and_can_be_waited_for_after_it(
    redis: Redis, writer: StreamWriter
) -> None:
    told: list[bytes | None] = []
    assert not writer.begin(FIRST, 1, [b"a"], told.append), "it has no connection yet"
    await writer.write(FIRST, 1, [b"a"])

    assert writer.begin(FIRST, 2, [b"b", b"c"], told.append)
    await eventually(lambda: told)
    ids = await writer.write(FIRST, 3, [b"d"])

    entries = await entries_on(redis)
    assert [event for _, event in entries] == [b"a", b"b", b"c", b"d"]
    assert told == [b" ".join(entry_id for entry_id, _ in entries[1:3])]
    assert ids == entries[3][0]
