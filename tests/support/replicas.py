"""A primary with a replica."""

from pathlib import Path

from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer, ServerBinary
from tests.support.eventually import eventually


def replica_of(primary: RedisServer, binary: ServerBinary, directory: Path) -> RedisServer:
    """A started replica; in step only after a moment (`until_in_step`)."""
    replica = RedisServer(
        binary,
        directory,
        append_only=True,
        options=("--replicaof", f"127.0.0.1 {primary.port}"),
    )
    replica.start()
    return replica


async def until_in_step(primary: RedisServer, *, timeout_s: float = 15) -> None:
    """Wait until a replica of `primary` has all that was written so far."""
    async with Redis.from_url(primary.url) as client:

        async def is_in_step() -> bool:
            info = await client.info("replication")
            if info.get("slave0", {}).get("state") != "online":
                return False
            await client.set("in-step", 1)
            return bool(await client.wait(1, 1000))

        await eventually(is_in_step, timeout_s=timeout_s)
