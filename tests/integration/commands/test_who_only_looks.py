"""Commands that only look need no right to write: a Redis user who may read the keys is enough."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish
from tests.support.redis_users import denied, rights_of

KEY = "b24:events:{0}"
LOOKS = [
    ["status"],
    ["groups"],
    ["pending", "--within", "30", "--group", "index"],
    ["explain", "--within", "30", "--comment", "3"],
    ["explain", "--within", "30", "01936b2e-0000-7000-8000-000000000001"],
    ["dead", "list"],
    ["dead", "show", "--group", "index", "0/1-1"],
    ["tail", "--since", "1h", "--count", "1"],
    ["replay", "--group", "index", "--from", "1h", "--dry-run"],
    ["events", "list"],
    ["portals", "list"],
    ["portals", "gaps"],
    ["portals", "check"],
    ["portals", "quarantine", "list"],
]


@pytest.fixture
async def looking_url(
    own_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The URL for a user who may read the gateway's keys, and write nothing."""
    monkeypatch.chdir(tmp_path)
    async with connections.control(own_server.url) as redis:
        await publish(redis, KEY, [comment_event(number) for number in range(1, 6)])
        await redis.xgroup_create(KEY, "index", "0")
        entries: Any = await redis.xrange(KEY)
        await redis.xgroup_create(KEY, "middle", entries[2][0])
        await redis.xadd("b24:dead:index:{0}", {"event": "{}", "group": "index"}, id="1-1")
        client: Any = redis
        await client.execute_command(
            "ACL", "SETUSER", "looker", "on", ">fake", *rights_of("looker")
        )
    return f"redis://looker:fake@127.0.0.1:{own_server.port}/0"


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
async def test_looking_needs_no_right_to_write(
    arguments: list[str],
    looking_url: str,
    own_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", looking_url)

    shown: Result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)

    async with connections.control(own_server.url) as redis:
        assert await denied(redis) == []
    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.exception
    looks = {"check", "explain", "status"} & set(arguments)
    assert shown.exit_code in ({0, 1} if looks else {0})
    assert "denies" not in shown.output


@pytest.mark.parametrize("stream", ["events", "comments", "dead:index"])
async def test_following_a_stream_needs_less(
    stream: str, looking_url: str, own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["tail", "--stream", stream, "--since", "1h", "--count", "1"]
    async with connections.control(own_server.url) as redis:
        for key in ("b24:comments:{0}", "b24:dead:index:{0}"):
            await publish(redis, key, [comment_event(1)])
        client: Any = redis
        await client.execute_command(
            "ACL", "SETUSER", "looker", "reset", "on", ">fake", *rights_of("tailer")
        )
        monkeypatch.setenv("GATEWAY_REDIS_URL", looking_url)

        shown: Result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)

        assert (shown.exit_code, await denied(redis)) == (0, []), shown.output


async def test_a_lack_of_rights_is_one_line(
    looking_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", looking_url)

    shown = await asyncio.to_thread(
        CliRunner().invoke, cli, ["dead", "drop", "--group", "index", "--all", "--yes"]
    )

    assert "denies it: " in str(shown.exception)
    assert "\n" not in str(shown.exception)
