"""Changes by the console that end half-way: what was done is said, and recorded."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import (
    DEAD,
    EVENTS,
    ConsoleClient,
    acts_of_operators,
    as_operator,
    dead_letter,
    letters_left,
    open_console,
)
from tests.support.eventually import eventually

AGAIN = "b24:replay:index:{0}"


async def test_what_was_done_when_the_receiver_stops_is_recorded(
    client: ConsoleClient, redis: Redis
) -> None:
    await publish(redis, EVENTS, [comment_event(number) for number in range(11, 5000)])
    wish = {"group": "index", "from": "1h", "to": "0s", "confirmed": "1"}
    asked = asyncio.create_task(as_operator(client).post("api/replay", wish))
    await eventually(lambda: redis.exists(AGAIN))  # it takes ten seconds

    assert await client.receiver.stop() == 0

    with suppress(aiohttp.ClientError):
        await asked
    (act,) = await acts_of_operators(redis)
    count = await redis.xlen(AGAIN)
    assert (act["action"], act["count"]) == ("replayed", count)
    assert 0 < count < 4000


async def test_a_group_that_is_removed_in_part_is_recorded(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await redis.xgroup_create(EVENTS, "index", "0", mkstream=True)
    await dead_letter(redis, comment_event(1))
    await redis.xgroup_create("b24:events:{1}", "index", "0", mkstream=True)
    lease: Any = {"owner": "one", "until": str(2**53)}
    await redis.hset("b24:lease:index:{1}", mapping=lease)
    wish = {"group": "index", "confirmed": "1"}

    async with open_console(tmp_path, redis_url, {"REDIS_PARTITIONS": "2"}) as two:
        status, answer = await as_operator(two).post("api/remove", wish)

    done = msgspec.json.decode(answer)
    assert (status, done["is_done"], done["count"], done["is_more"]) == (200, True, 1, True)
    assert "one works on index" in done["error"]
    assert await redis.exists(DEAD) == 0
    (act,) = await acts_of_operators(redis) + await acts_of_operators(redis, 1)
    assert (act["action"], act["count"]) == ("group removed", 1)
    assert act["selection"].startswith("on 1 of 2 partitions; before: ")


async def test_what_was_done_before_redis_failed_is_recorded(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    for partition in (0, 1):
        await redis.xgroup_create(f"b24:events:{{{partition}}}", "index", "0", mkstream=True)
    await dead_letter(redis, comment_event(1))
    await redis.copy(DEAD, "b24:dead:index:{1}")
    await redis.set("b24:replay:index:{1}", "no stream")  # so Redis refuses the second one

    async with open_console(tmp_path, redis_url, {"REDIS_PARTITIONS": "2"}) as client:
        wish = {"group": "index", "all": "1", "confirmed": "1"}
        status, answer = await as_operator(client).post("api/retry", wish)

        done = msgspec.json.decode(answer)
        assert (status, done["is_done"], done["count"], done["is_more"]) == (200, True, 1, True)
        assert "WRONGTYPE" in done["error"]
        await dead_letter(redis, comment_event(2))
        addresses = [f"1/{letter.decode()}" for letter, _ in await letters_left(redis, 1)]
        addresses += [f"0/{letter.decode()}" for letter, _ in await letters_left(redis, 0)]
        chosen = [("group", "index"), *(("address", one) for one in addresses)]
        status, answer = await as_operator(client).post("api/retry", chosen)
        done = msgspec.json.decode(answer)
        assert (status, done["count"], done["is_more"], len(addresses)) == (200, 1, True, 2)
        assert (await as_operator(client).post("api/retry", wish))[0] == 503
    told = await acts_of_operators(redis) + await acts_of_operators(redis, 1)
    assert [(act["action"], act["count"]) for act in told] == 2 * [("dead letters given back", 1)]
