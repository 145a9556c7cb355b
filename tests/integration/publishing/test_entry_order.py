"""That entry ids are ordered as the server orders them, by asking one."""

from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import EntryId

NUMBERS = [0, 1, 9, 10, 99, 100, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]


@pytest.fixture
async def stored(redis: Redis) -> list[EntryId]:
    """Every id of these numbers, written in our order, which the server has to agree with."""
    ids = sorted(EntryId(ms, number) for ms in NUMBERS for number in NUMBERS)[1:]
    for entry_id in ids:
        await redis.xadd("s", {"f": ""}, str(entry_id))
    return ids


async def test_our_order_is_the_servers(redis: Redis, stored: list[EntryId]) -> None:
    page: Any = await redis.xrange("s")

    assert [EntryId.of(entry_id) for entry_id, _ in page] == stored
    assert all(one < other for one, other in pairwise(stored))


async def test_what_is_lower_than_the_last_the_server_refuses(redis: Redis) -> None:
    await redis.xadd("s", {"f": ""}, "10-0")

    with pytest.raises(ResponseError, match="equal or smaller"):
        await redis.xadd("s", {"f": ""}, str(EntryId(10).previous))
    assert await redis.xadd("s", {"f": ""}, str(EntryId(10).next)) == b"10-1"


async def test_between_neighbours_the_server_finds_nothing(
    redis: Redis, stored: list[EntryId]
) -> None:
    for entry_id in stored:
        behind: Any = await redis.xrange("s", f"({entry_id.previous}", "+", count=1)
        assert behind[0][0].decode() == str(entry_id)
        if entry_id != stored[-1]:
            ahead: Any = await redis.xrange("s", str(entry_id.next), "+", count=1)
            assert EntryId.of(ahead[0][0]) == stored[stored.index(entry_id) + 1]
