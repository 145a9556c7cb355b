"""What is told of streams: of those that are not there, and of those that may not be looked at."""

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.redis_access import connections
from gateway.redis_access.stream_information import group_rows, stream_information


async def test_a_stream_that_is_not_there_is_none_and_has_no_groups(redis: Redis) -> None:
    assert await stream_information(redis, "b24:events:{0}") is None
    assert await group_rows(redis, "b24:events:{0}") == []

    await redis.xgroup_create("b24:events:{0}", "index", "0", mkstream=True)
    found = await stream_information(redis, "b24:events:{0}")

    assert found is not None
    assert found["length"] == 0
    assert [row["name"] for row in await group_rows(redis, "b24:events:{0}")] == [b"index"]


async def test_one_that_may_not_be_looked_at_is_not_taken_for_absent(
    redis: Redis, users: Any, limited_url: str
) -> None:
    await users("~*", "+ping")
    client = connections.control(limited_url)
    try:
        with pytest.raises(NoPermissionError):
            await stream_information(client, "b24:events:{0}")
        with pytest.raises(NoPermissionError):
            await group_rows(client, "b24:events:{0}")
    finally:
        await client.aclose()
