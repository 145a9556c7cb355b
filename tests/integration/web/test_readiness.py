"""`/readyz` says whether deliveries can be accepted and stored, in Redis or in the spool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.local.redis_server import RedisServer
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver, receiving


async def test_a_receiver_without_redis_is_ready_as_long_as_the_spool_has_room(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        receiving(tmp_path, own_server.url, {"SPOOL_MAX_BYTES": "150000"}) as receiver,
        aiohttp.ClientSession() as session,
    ):
        assert await readiness(session, receiver) == (200, "ready")
        own_server.kill()

        assert await readiness(session, receiver) == (200, "ready")

        for number in range(1, 1000):
            if await deliver(session, receiver, number) == 503:
                break
        assert await readiness(session, receiver) == (
            503,
            "redis is away (ConnectionError), the spool is full",
        )


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_redis_that_refuses_is_no_reason_to_be_taken_out_of_service(
    own_server: RedisServer, tmp_path: Path, workers: int
) -> None:
    """MISCONF, NOPERM, OOM, BUSY: the spool takes what Redis does not."""
    async with (
        Redis.from_url(own_server.url) as redis,
        running(tmp_path, own_server.url, HTTP_WORKERS=str(workers)) as receiver,
        aiohttp.ClientSession() as session,
    ):

        async def is_ready_and_stores(number: int) -> None:
            assert await deliver(session, receiver, number) == 200
            assert await readiness(session, receiver) == (200, "ready")

        await is_ready_and_stores(1)
        await redis.config_set("maxmemory", "1mb")
        await is_ready_and_stores(2)
        await redis.config_set("maxmemory", "0")

        config: Any = await redis.config_get("*")
        rdb = Path(config["dir"]) / config["dbfilename"]
        rdb.unlink(missing_ok=True)
        rdb.mkdir()  # a snapshot cannot be written there
        await redis.config_set("save", "3600 1000000")
        await redis.bgsave()
        await until_snapshot_failed(redis)
        with pytest.raises(ResponseError, match="MISCONF"):
            await redis.set("x", "y")
        await is_ready_and_stores(3)
        await redis.config_set("save", "")

        await redis.acl_setuser("default", enabled=True, nopass=True, commands=["-ping"])
        await is_ready_and_stores(4)
        await redis.acl_setuser("default", enabled=True, nopass=True, commands=["+ping"])

        await redis.config_set("lua-time-limit", "50")
        busy = asyncio.ensure_future(redis.eval("while true do end", 0))
        await asyncio.sleep(0.2)
        try:
            await is_ready_and_stores(5)
        finally:
            async with Redis.from_url(own_server.url) as other:
                await other.script_kill()
            with pytest.raises(ResponseError):
                await busy


async def test_a_redis_that_refuses_and_a_full_spool_are_told(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        Redis.from_url(own_server.url) as redis,
        running(tmp_path, own_server.url, SPOOL_MAX_BYTES="150000") as receiver,
        aiohttp.ClientSession() as session,
    ):
        await redis.config_set("maxmemory", "1mb")
        for number in range(1, 1000):
            if await deliver(session, receiver, number) == 503:
                break
        assert await readiness(session, receiver) == (
            503,
            "redis takes no events, the spool is full",
        )

        await redis.acl_setuser("default", enabled=True, nopass=True, commands=["-ping"])
        status, reason = await readiness(session, receiver)
        assert status == 503
        assert reason.startswith("redis denies it: User default has no permissions")
        assert reason.endswith(", the spool is full")


async def test_the_admin_port_answers_to_no_name_that_it_does_not_know(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        running(tmp_path, own_server.url, ADMIN_HOSTS='["gateway-admin"]') as receiver,
        aiohttp.ClientSession() as session,
    ):

        async def status(host: str, path: str) -> int:
            url = f"http://127.0.0.1:{receiver.admin_port}{path}"
            async with session.get(url, headers={"Host": host}) as response:
                return response.status

        for path in ("/metrics", "/healthz", "/readyz"):
            assert await status("rebound.attacker.example", path) == 421
            for host in ("gateway-admin", f"localhost:{receiver.admin_port}", "[::1]"):
                assert await status(host, path) == 200


@asynccontextmanager
async def running(directory: Path, url: str, **settings: str) -> AsyncIterator[Receiver]:
    async with receiving(directory, url, settings) as receiver:
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                return await readiness(session, receiver) == (200, "ready")

            await eventually(is_ready)
        yield receiver


async def until_snapshot_failed(redis: Redis) -> None:
    async def has_failed() -> bool:
        return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] != "ok")

    await eventually(has_failed)


async def readiness(session: aiohttp.ClientSession, receiver: Receiver) -> tuple[int, str]:
    async with session.get(f"http://127.0.0.1:{receiver.admin_port}/readyz") as response:
        return response.status, await response.text()


async def deliver(session: aiohttp.ClientSession, receiver: Receiver, number: int) -> int:
    body = body_of("comment.updated", portal=SANDBOX, ts=1_766_000_000, subject_id=number)
    async with session.post(
        f"http://127.0.0.1:{receiver.port}/bitrix24/events",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ) as response:
        return response.status
