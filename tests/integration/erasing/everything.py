"""Looking for a text in all that a Redis holds, in memory and on its disk."""

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.erasure_record import DATA_ERASED
from gateway.local.redis_server import RedisServer

__all__ = ["everything", "in_files", "keys_with"]


async def everything(redis: Redis) -> dict[str, bytes]:
    """All keys, and what commands read of each, their own names included.

    Without the records of erasures, which name on purpose whose data is gone.
    """
    found = {}
    async for key in redis.scan_iter(count=1000):
        name = key.decode()
        found[name] = key + b" " + repr(await _content(redis, name)).encode()
    return found


async def keys_with(redis: Redis, *texts: str) -> list[str]:
    """The keys that hold one of these texts."""
    return sorted(
        name
        for name, content in (await everything(redis)).items()
        if any(text.encode() in content for text in texts)
    )


def in_files(server: RedisServer, text: str) -> list[Path]:
    """The files of the server's disk that hold a text; it must not compress what it writes."""
    return [
        path
        for path in server.directory.rglob("*")
        if path.is_file() and path.suffix != ".log" and text.encode() in path.read_bytes()
    ]


async def _content(redis: Redis, name: str) -> Any:
    client: Any = redis
    kind = (await client.type(name)).decode()
    if kind == "none":  # it has expired
        return b""
    if kind == "stream":
        groups = await client.xinfo_groups(name)
        entries = await client.xrange(name)
        return [entry for entry in entries if DATA_ERASED not in repr(entry)], groups
    return await {
        "string": lambda: client.get(name),
        "hash": lambda: client.hgetall(name),
        "zset": lambda: client.zrange(name, 0, -1),
        "set": lambda: client.smembers(name),
        "list": lambda: client.lrange(name, 0, -1),
    }[kind]()
