"""The rights that deploy/redis/users.acl gives are enough, and a missing one is told as such."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Reject
from consumers.runtime.lua_scripts import Emitted, Scripts
from gateway.contract import DeadLetter, encode_event
from gateway.doctor.redis_accounts import consumer_account
from gateway.errors import OperatorError
from gateway.local.redis_server import free_port
from gateway.redis_access import connections
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually
from tests.support.redis_users import service_rights, without

KEY, AGAIN = "b24:events:{0}", "b24:replay:index:{0}"
TRANSFORMING = consumer_account(
    "index",
    "events",
    shared_keys="~b24:emitted:{group}:*",
    commands="+zscore +zremrangebyrank",
    output="comments",
).words()


async def acl(redis: Any, *words: str) -> Any:
    return await redis.execute_command("ACL", *words)


async def allow(redis: Redis, *rights: str) -> None:
    await acl(redis, "SETUSER", "service", "reset", "on", ">FAKE-PASSWORD", *rights)


@pytest.fixture
async def restricted(redis: Redis, redis_url: str) -> AsyncIterator[str]:
    """The URL of a user with the documented rights, and no others."""
    await allow(redis, *service_rights("index", "events"))
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
    await publish(redis, KEY, [comment_event(number) for number in (1, 1, 2, 4)])
    ((first, _fields), *_more) = await redis.xrange(KEY)  # type: ignore[misc]
    # So that something is to be taken over, and something to be counted.
    await redis.xgroup_create(KEY, "index", first)  # type: ignore[arg-type]
    await redis.xreadgroup("index", "owner", {KEY: ">"}, count=1)
    async with running(consumer(), restricted):
        await eventually(lambda: settled(redis, KEY, "index"))
        await publish(redis, KEY, [comment_event(3)])
        await eventually(lambda: settled(redis, KEY, "index"))

    assert await redis.xlen("b24:dead:index:{0}") == 1
    assert await acl(redis, "LOG") == []


@pytest.mark.parametrize(
    "missing",
    [
        *("xreadgroup", "xack", "xdel", "xadd", "xpending", "xinfo|stream", "xgroup|create"),
        *("time", "hget", "hmget", "hset", "hdel", "hgetall", "expire"),
        *("zadd", "zrange", "evalsha", "client|id"),
    ],
)
async def test_a_right_that_is_missing_ends_the_consumer_with_one_line(
    redis: Redis, restricted: str, missing: str
) -> None:
    await publish(redis, KEY, [comment_event(1), comment_event(2)])
    await allow(redis, *without(service_rights("index", "events"), missing))

    with pytest.raises(OperatorError, match="Redis refuses the consumer"):
        async with running(consumer(), restricted) as task:
            await task


async def test_a_right_that_is_taken_away_is_told_once_shown_and_waited_for(
    redis: Redis, restricted: str
) -> None:
    port = free_port()
    with capture_logs() as lines:
        async with running(consumer(), restricted, port=port, stuck_s=4.0):
            await eventually(lambda: is_answered(port, "/readyz", 200))
            # The process has worked once its first read has returned.
            await publish(redis, KEY, [comment_event(1)])
            await eventually(lambda: settled(redis, KEY, "index"))
            rights = service_rights("index", "events")
            await allow(redis, *without(rights, "xack"))
            await publish(redis, KEY, [comment_event(3)])
            await eventually(lambda: is_answered(port, "/readyz", 503))
            assert "acknowledging failed" in (await get(port, "/readyz"))[1]
            # The leases are renewed all the while, so it is not Redis that is away.
            await eventually(lambda: is_answered(port, "/healthz", 503))
            assert "b24_consumer_redis_failing_seconds" in (await get(port, "/metrics"))[1]

            await allow(redis, *rights)
            await eventually(lambda: settled(redis, KEY, "index"))
            await eventually(lambda: is_answered(port, "/readyz", 200))
            await eventually(lambda: is_answered(port, "/healthz", 200))

    told = [(line["event"], line["log_level"]) for line in lines]
    assert told.count(("acknowledging failed", "error")) == 1
    assert told.count(("Redis is back", "info")) == 1


class Halfway:
    """An entry and a redelivery that a group has pending, and scripts of a restricted user."""

    def __init__(self, scripts: Scripts, epoch: int, ids: list[bytes]) -> None:
        self._scripts = scripts
        self._epoch = epoch
        self._entry_id, self._again_id = ids

    async def bury(self) -> None:
        letter = DeadLetter(
            event=b"{}",
            group="index",
            stream="replay",
            entry_id=self._again_id.decode(),
            attempts=1,
            reason="failed",
            error="KeyError",
            failed_at="2026-01-01T00:00:00Z",
        )
        await self._scripts.bury(
            (
                *("b24:lease:index:{0}", AGAIN, "b24:dead:index:{0}"),
                *("b24:failures:index:{0}", "b24:balance:index:{0}"),
            ),
            epoch=self._epoch,
            group="index",
            entry_id=self._again_id,
            max_count=100,
            is_redelivery=True,
            fields=letter.fields(),
        )

    async def emit(self) -> None:
        await self._scripts.emit(
            (
                *("b24:lease:index:{0}", "b24:comments:{0}", "b24:emitted:index:{0}"),
                *(KEY, "b24:replay:index:{0}", "b24:failures:index:{0}", "b24:balance:index:{0}"),
            ),
            epoch=self._epoch,
            group="index",
            max_remembered=100,
            emitted=[
                Emitted(
                    id=self._entry_id,
                    is_redelivery=False,
                    is_old=False,
                    events=[encode_event(comment_event(1))],
                    writes=[],
                )
            ],
        )


@pytest.fixture
async def halfway(redis: Redis, restricted: str) -> AsyncIterator[Halfway]:
    await allow(redis, *TRANSFORMING)
    ids = []
    for key in (KEY, AGAIN):
        await redis.xgroup_create(key, "index", "0", mkstream=True)
        await publish(redis, key, [comment_event(1)])
        page: Any = await redis.xreadgroup("index", "owner", {key: ">"})
        ids.append(page[key.encode()][0][0])
    async with connections.control(restricted) as client:
        scripts = Scripts(client)
        acquired = await scripts.acquire("b24:lease:index:{0}", "this process", ttl_ms=60_000)
        assert acquired is not None
        yield Halfway(scripts, acquired.epoch, ids)


@pytest.mark.parametrize("missing", ["xack", "xdel", "xadd"])
async def test_a_dead_letter_that_is_refused_halfway_is_not_made_again_and_again(
    redis: Redis, halfway: Halfway, missing: str
) -> None:
    await allow(redis, *without(TRANSFORMING, missing))
    for _ in range(3):
        with pytest.raises(ResponseError):
            await halfway.bury()

    assert await redis.xlen("b24:dead:index:{0}") == 0
    assert (await redis.xpending(AGAIN, "index"))["pending"] == 1
    await allow(redis, *TRANSFORMING)
    await halfway.bury()
    assert await redis.xlen("b24:dead:index:{0}") == 1


@pytest.mark.parametrize(
    "missing", ["xack", "xdel", "xadd", "zadd", "zscore", "zremrangebyrank", "expire"]
)
async def test_an_output_that_is_refused_halfway_is_not_written_again_and_again(
    redis: Redis, halfway: Halfway, missing: str
) -> None:
    await allow(redis, *without(TRANSFORMING, missing))
    for _ in range(3):
        with pytest.raises(ResponseError):
            await halfway.emit()

    assert await redis.xlen("b24:comments:{0}") == 0
    assert (await redis.xpending(KEY, "index"))["pending"] == 1
    await allow(redis, *TRANSFORMING)
    await halfway.emit()
    assert await redis.xlen("b24:comments:{0}") == 1
    assert (await redis.xpending(KEY, "index"))["pending"] == 0
