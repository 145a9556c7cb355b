"""What an author finds out about a handler that fails, and what becomes of what it failed at."""

import json
import time
from itertools import pairwise

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import Backoff, CommentEvent, Consumer, Transient
from consumers.runtime.lua_scripts import Scripts
from consumers.runtime.metrics import Metrics
from gateway.contract import DeadLetter
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.eventually import eventually

KEY = "b24:events:{0}"
DEAD = "b24:dead:index:{0}"


class Fatal(BaseException):
    """Nothing that a handler may raise: it ends the process, as SystemExit does."""


async def test_where_a_handler_raised_is_told_once_and_kept(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events", max_attempts=3)

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise KeyError(event.data.comment_id)

    await publish(redis, KEY, [comment_event(7)])
    with capture_logs() as lines:
        async with running(app, redis_url):
            await eventually(lambda: settled(redis, KEY, "index"))

    failed = [line for line in lines if line["event"] == "attempt failed"]
    assert [line["attempt"] for line in failed] == [1, 2, 3]
    assert ["exception" in line for line in failed] == [True, False, False]
    assert "raise KeyError(event.data.comment_id)" in failed[0]["exception"]
    assert "consumers/runtime" not in failed[0]["exception"]

    told = json.loads(await gateway(redis_url, "dead", "list", "--json"))
    assert told["failed_at"].endswith("Z")
    address = told["address"]
    shown = await gateway(redis_url, "dead", "show", address, "--group", "index")
    assert "raise KeyError(event.data.comment_id)\nKeyError: 7\n" in shown


@pytest.mark.parametrize("error", [RuntimeError, Transient])
async def test_a_service_says_how_long_to_wait_between_attempts(
    redis: Redis, redis_url: str, error: type[Exception]
) -> None:
    backoff = Backoff(first_s=0.01, factor=3, limit_s=0.05, jitter=0)
    app = Consumer(group="index", stream="events", max_attempts=9, backoff=backoff)
    calls: list[float] = []

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        calls.append(time.monotonic())
        if len(calls) < 5:
            raise error

    await publish(redis, KEY, [comment_event(7)])
    with capture_logs() as lines:
        async with running(app, redis_url):
            await eventually(lambda: settled(redis, KEY, "index"))

    failed = [line for line in lines if line["event"] == "attempt failed"]
    assert [line["retry_in_s"] for line in failed] == [0.01, 0.03, 0.05, 0.05]
    waited = [later - earlier for earlier, later in pairwise(calls)]
    assert all(took >= line["retry_in_s"] for took, line in zip(waited, failed, strict=True))


async def test_what_ends_the_consumer_again_and_again_becomes_a_dead_letter(
    redis: Redis, redis_url: str
) -> None:
    app = Consumer(group="index", stream="events")
    handled: set[int] = set()

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 7:
            raise Fatal
        handled.add(event.data.comment_id)

    await publish(redis, KEY, [comment_event(number) for number in (6, 7, 8)])
    for _ in range(5):
        with pytest.raises(Fatal):
            async with running(app, redis_url) as task:
                await task
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    ((_id, fields),) = await redis.xrange(DEAD)  # type: ignore[misc]
    letter = DeadLetter.of(fields)  # type: ignore[arg-type]
    assert (letter.reason, handled) == ("crashed", {6, 8})
    assert letter.failed_at.endswith("Z")


async def test_a_way_out_that_ends_unforeseen_ends_the_partition_and_gives_the_lease_up(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        pass

    async def ack(*_arguments: object, **_options: object) -> bool:
        raise ZeroDivisionError

    await publish(redis, KEY, [comment_event(7)])
    with monkeypatch.context() as patched:
        patched.setattr(Scripts, "ack", ack)
        with pytest.raises(ZeroDivisionError):
            async with running(app, redis_url) as task:
                await task
    assert await redis.hget("b24:lease:index:{0}", "owner") is None

    async with running(app, redis_url):  # whoever stood by
        await eventually(lambda: settled(redis, KEY, "index"))


async def test_a_success_that_cannot_be_measured_is_one_all_the_same(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Consumer(group="index", stream="events")
    handled: list[int] = []

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        handled.append(event.data.comment_id)

    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Metrics, "handled", broken)
    await publish(redis, KEY, [comment_event(7), comment_event(8)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert handled == [7, 8]
