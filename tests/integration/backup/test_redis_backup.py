"""What Redis holds comes back as it was, on a server of any make, and in nothing else's way."""

import json
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.backup.conftest import Call
from tests.integration.backup.keys import SETTINGS, contents, fill, without_gone
from tests.support.redis_users import denied, rights_of


async def test_everything_comes_back_as_it_was(
    redis: Redis,
    redis_url: str,
    other: Redis,
    other_server: RedisServer,
    call: Call,
    tmp_path: Path,
) -> None:
    await fill(redis)
    await other.set("other:key", "stays")

    taken = await call(redis_url, "backup", "kept", "--json", **SETTINGS)
    assert taken.returncode == 0, taken.stderr
    told = json.loads(taken.stdout)
    assert told["parts"] == ["redis"]
    before = without_gone(await contents(redis))
    assert told["keys"] == len(before)
    done = await call(other_server.url, "restore", "kept", **SETTINGS)

    assert done.returncode == 0, done.stderr
    assert await contents(other) == before
    assert await other.get("other:key") == b"stays"
    assert await other.exists("b24:processes") == 0


async def test_a_cluster_is_backed_up_and_put_back(
    redis: Redis, redis_url: str, cluster_url: str, call: Call
) -> None:
    await fill(redis, entries=100)
    before = without_gone(await contents(redis))
    await call(redis_url, "backup", "first", **SETTINGS)

    into = await call(cluster_url, "restore", "first", **SETTINGS)
    async with connections.control(cluster_url) as cluster:
        assert into.returncode == 0, into.stderr
        assert await contents(cluster) == before
    out = await call(cluster_url, "backup", "second", **SETTINGS)
    assert out.returncode == 0, out.stderr
    back = await call(redis_url, "restore", "second", "--replace", **SETTINGS)

    assert back.returncode == 0, back.stderr
    assert await contents(redis) == before
    assert await redis.get("other:key") == b"of somebody else"


async def test_the_same_is_the_same_backup(
    redis: Redis, redis_url: str, call: Call, tmp_path: Path
) -> None:
    await fill(redis, entries=100)
    await redis.delete("b24:snapshot:{0}:portal:7", "b24:snapshot:{1}:portal:7")
    for key in ("b24:events:{0}", "b24:events:{1}"):  # whose time rises
        await redis.xgroup_destroy(key, "index")

    for name in ("one", "two"):
        done = await call(redis_url, "backup", name, **SETTINGS)
        assert done.returncode == 0, done.stderr

    one, two = ((tmp_path / name / "redis.keys.gz").read_bytes() for name in ("one", "two"))
    assert one == two


async def test_the_documented_rights_suffice(
    redis: Redis, redis_url: str, users: Any, limited_url: str, call: Call
) -> None:
    await fill(redis, entries=100)
    await users(*rights_of("keeper"))

    taken = await call(limited_url, "backup", "kept", **SETTINGS)
    done = await call(limited_url, "restore", "kept", "--replace", **SETTINGS)

    assert (taken.returncode, done.returncode) == (0, 0), taken.stderr + done.stderr
    assert await denied(redis) == []
