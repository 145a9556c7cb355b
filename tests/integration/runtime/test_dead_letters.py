"""Dead letters of a group: given again, and dropped."""

import json

from redis.asyncio import Redis

from consumers import CommentEvent, Entry, Reject
from tests.integration.runtime.index_group import DEAD, KEY, consumer
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.eventually import eventually


async def test_a_retried_dead_letter_comes_to_its_group_again(redis: Redis, redis_url: str) -> None:
    is_broken = True
    handled: list[Entry] = []
    app = consumer(max_attempts=1)

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        if is_broken:
            raise KeyError("a=FAKE access_token=FAKE-SECRET")
        handled.append(entry)

    event = comment_event(7)
    await publish(redis, KEY, [event])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
        listed = json.loads(await gateway(redis_url, "dead", "list", "--json"))
        shown = await gateway(redis_url, "dead", "show", listed["address"], "--group", "index")
        is_broken = False
        await gateway(redis_url, "dead", "retry", listed["address"], "--group", "index")
        await eventually(lambda: len(handled) == 1)

    assert listed["reason"] == "failed"
    assert event.id in shown
    assert "FAKE-SECRET" not in shown
    assert (handled[0].id, handled[0].is_replay) == (listed["entry_id"], False)
    assert await redis.xlen(DEAD) == 0
    assert await redis.xlen("b24:replay:index:{0}") == 0  # deleted when it was acknowledged


async def test_dropped_dead_letters_are_gone(redis: Redis, redis_url: str) -> None:
    app = consumer()

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Reject("never")

    await publish(redis, KEY, [comment_event(number + 1) for number in range(3)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    output = await gateway(
        redis_url, "dead", "drop", "--group", "index", "--all", "--yes", "--json"
    )
    assert json.loads(output) == {"dropped": 3}
    assert "no dead letters" in await gateway(redis_url, "dead", "list")
