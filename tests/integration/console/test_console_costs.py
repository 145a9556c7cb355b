"""What the console's pages ask of Redis does not grow with what there is."""

from typing import Any

import pytest
from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import EVENTS, ConsoleClient, dead_letter

PAGES = ("now", "letters", "letters?reason=crashed", "stuck", "groups", "portals", "tail")


async def calls(redis: Redis, client: ConsoleClient, page: str) -> dict[str, int]:
    """How often each command is called, by a page and by what the receiver does meanwhile."""
    server: Any = redis
    await server.execute_command("CONFIG", "RESETSTAT")
    assert (await client.get(page))[0] == 200
    stats = await server.info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_reads_as_often_of_many_events_as_of_few(
    client: ConsoleClient, redis: Redis, page: str
) -> None:
    await calls(redis, client, page)
    few = await calls(redis, client, page)
    events = [comment_event(number) for number in range(1000)]
    for _ in range(20):
        await publish(redis, EVENTS, events)
    for number in range(300):
        await dead_letter(redis, comment_event(number))
    many = await calls(redis, client, page)

    assert not {"scan", "keys"} & many.keys()
    for name in ("xrange", "xrevrange", "xread", "xpending", "xinfo|stream", "xlen"):
        # A page of letters more, and a look at what waits.
        assert many.get(name, 0) <= few.get(name, 0) + 4, name
