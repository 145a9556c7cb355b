"""`/readyz` says whether deliveries can be accepted and stored, in Redis or in the spool."""

from pathlib import Path

import aiohttp

from gateway.local.server import RedisServer
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from tests.faults.receiver import Receiver


async def test_a_receiver_without_redis_is_ready_as_long_as_the_spool_has_room(
    own_server: RedisServer, tmp_path: Path
) -> None:
    receiver = Receiver(
        tmp_path, own_server.url, spool=tmp_path / "spool", settings={"SPOOL_MAX_BYTES": "150000"}
    )
    await receiver.start()
    try:
        async with aiohttp.ClientSession() as session:
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
    finally:
        await receiver.stop()


async def readiness(session: aiohttp.ClientSession, receiver: Receiver) -> tuple[int, str]:
    async with session.get(f"http://127.0.0.1:{receiver.admin_port}/readyz") as response:
        return response.status, await response.text()


async def deliver(session: aiohttp.ClientSession, receiver: Receiver, number: int) -> int:
    body = body_of("comment.updated", portal=SANDBOX, ts=1_766_000_000, comment_id=number)
    async with session.post(
        f"http://127.0.0.1:{receiver.port}/bitrix24/events",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ) as response:
        return response.status
