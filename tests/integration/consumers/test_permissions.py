"""The rights that docs/consumers.md names are enough, and a missing one is told as such."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Reject
from gateway.errors import OperatorError
from tests.integration.consumers.running import comment_event, publish, running, settled, until

KEY = "b24:events:{0}"
DOCS = Path(__file__).parents[3] / "docs" / "consumers.md"


async def acl(redis: Any, *words: str) -> Any:
    return await redis.execute_command("ACL", *words)


def documented_rights() -> list[str]:
    text = DOCS.read_text()
    paragraph = text[text.index("* The Redis user needs") :].split("\n\n")[0]
    return re.findall(r"\+[a-z|]+", paragraph)


@pytest.fixture
async def restricted(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    """The URL of a user with the documented rights, and no others."""
    rights = ["on", ">FAKE-PASSWORD", "resetchannels", "-@all", "~b24:*", *documented_rights()]
    await acl(redis, "SETUSER", "service", "reset", *rights)
    yield redis_url.replace("redis://", "redis://service:FAKE-PASSWORD@")
    await acl(redis, "DELUSER", "service")


def consumer() -> Consumer:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 2:
            raise Reject("never")

    return app


async def test_the_documented_rights_are_enough(redis: Redis, restricted: str) -> None:
    await acl(redis, "LOG", "RESET")
    await publish(redis, KEY, [comment_event(1), comment_event(2)])
    await redis.xgroup_create(KEY, "index", "0")
    await redis.xreadgroup("index", "owner", {KEY: ">"})  # so that something is to be taken over
    async with running(consumer(), restricted):
        await until(lambda: settled(redis, KEY, "index"))
        await publish(redis, KEY, [comment_event(3)])
        await until(lambda: settled(redis, KEY, "index"))

    assert await redis.xlen("b24:dead:index:{0}") == 1
    assert await acl(redis, "LOG") == []


async def test_a_user_that_may_not_read_groups_ends_the_consumer_with_one_line(
    redis: Redis, restricted: str
) -> None:
    await acl(redis, "SETUSER", "service", "-xreadgroup")

    with pytest.raises(OperatorError, match="Redis refuses the consumer"):
        async with running(consumer(), restricted) as task:
            await task
