"""What a refused installation would leave behind, if it left anything."""

from typing import Any

from redis.asyncio import Redis

from tests.integration.installation.running import Gateway

MADE_UP = "fakeaccess" + "0" * 60


async def nothing_is_left(gateway: Gateway, redis: Redis, *, but_waiting: bool = False) -> bool:
    """Neither a portal, nor tokens, nor facts, nor events; nor anything to be done."""
    tokens: Any = await redis.keys("b24:oauth:*")
    left = (
        await gateway.registered(),
        await gateway.facts.all(),
        await gateway.events(),
        tokens,
        [] if but_waiting else gateway.waiting(),
        list(gateway.directory),
    )
    assert left == ([], {}, [], [], [], [])
    return True
