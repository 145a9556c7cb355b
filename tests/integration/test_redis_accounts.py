"""What Redis refuses to the users of deploy/redis/users.acl, loaded by a real server as a file."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from gateway.doctor.redis_accounts import ACCOUNTS
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access import connections
from tests.support.redis_users import acl_file_in, denied, line_of_service, rights_of, url_of

EVENTS, COMMENTS = "b24:events:{0}", "b24:comments:{0}"
MEMBER = "0123456789abcdef0123456789abcdef"

REFUSED_TO_ANOTHER_TEAM = [
    # To publish, by hand or by a script, and to harm what is published.
    f"XADD {COMMENTS} * event forged",
    f"XADD {EVENTS} * event forged",
    f"XDEL {COMMENTS} 1-1",
    f"XTRIM {COMMENTS} MAXLEN 0",
    f"XSETID {COMMENTS} 9-9",
    f"DEL {COMMENTS}",
    f"EXPIRE {COMMENTS} 1",
    f"HSET {COMMENTS} a b",
    f"XGROUP DESTROY {COMMENTS} enricher",
    f"XGROUP SETID {COMMENTS} audit $",
    # What others may read.
    f"XRANGE {EVENTS} - +",
    f"HGETALL b24:oauth:{{{MEMBER}}}",
    "HGETALL b24:{portals}",
    f"GET b24:snapshot:{{0}}:{MEMBER}:7",
    f"GET b24:rest:{{{MEMBER}}}:bucket",
    "HGETALL b24:quarantine:bytes",
    "HGETALL b24:notifier:{x}:notices",
    "SCAN 0",
    "KEYS *",
    # What other groups own.
    "HSET b24:lease:audit:{0} owner me",
    "HGETALL b24:lease:stock-2:{0}",
    "XRANGE b24:dead:audit:{0} - +",
    "XADD b24:dead:audit:{0} * event forged",
    "XADD b24:replay:stock-2:{0} * event forged",
    "HSET b24:pauses:audit x y",
    "HSET b24:strikes:audit x y",
    "HSET b24:balance:audit:{0} handled 0",
    "HSET b24:balance:{0} accepted 0",
    "ZADD b24:members:audit 1 me",
    # To strike its own events is the operators' decision, as is all that is about the server.
    "HSET b24:strikes:stock x y",
    "CONFIG GET *",
    "ACL LIST",
    "FLUSHALL",
    "SHUTDOWN",
]


@pytest.fixture
def guarded(server_binary: ServerBinary, tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the file, in which a service of another team, `stock`, reads comments."""
    file = acl_file_in(tmp_path, line_of_service("stock", "comments"))
    server = RedisServer(server_binary, tmp_path / "redis", options=("--aclfile", str(file)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def admin(guarded: RedisServer) -> AsyncIterator[Redis]:
    """There is an event on each stream."""
    async with connections.control(guarded.url) as client:
        for key in (EVENTS, COMMENTS):
            await client.xadd(key, {"event": "{}"}, id="1-1")
        yield client


async def asked(client: Any, command: str) -> Any:
    return await client.execute_command(*command.split())


@pytest.mark.parametrize("command", REFUSED_TO_ANOTHER_TEAM)
async def test_redis_refuses_it_to_a_service_of_another_team(
    guarded: RedisServer, admin: Redis, command: str
) -> None:
    async with connections.control(url_of(guarded.url, "stock")) as stock:
        with pytest.raises(NoPermissionError):
            await asked(stock, command)

    assert await admin.xlen(COMMENTS) == await admin.xlen(EVENTS) == 1


@pytest.mark.parametrize("key", [EVENTS, COMMENTS, "b24:dead:audit:{0}"])
async def test_a_script_gives_no_right_that_its_caller_lacks(
    guarded: RedisServer, admin: Redis, key: str
) -> None:
    """Neither on a key that is named to it nor on one that stands in it."""
    named = "return redis.call('XADD', KEYS[1], '*', 'event', 'forged')"
    hidden = f"return redis.call('XADD', '{key}', '*', 'event', 'forged')"
    async with connections.control(url_of(guarded.url, "stock")) as stock:
        for script, keys in ((named, [key]), (hidden, [])):
            digest = await stock.script_load(script)
            with pytest.raises(ResponseError, match=r"(?i)permission|ACL failure"):
                await stock.evalsha(digest, len(keys), *keys)

    assert await admin.xlen(COMMENTS) == await admin.xlen(EVENTS) == 1


@pytest.mark.parametrize(
    ("user", "key"),
    [
        *((name, EVENTS) for name in ("audit", "enricher", "warehouse", "notifier", "relay")),
        *((name, COMMENTS) for name in ("audit", "warehouse", "notifier", "relay")),
        *((name, key) for name in ("feed", "tailer", "looker") for key in (EVENTS, COMMENTS)),
    ],
)
async def test_no_consumer_but_the_enricher_may_append_to_a_stream(
    guarded: RedisServer, admin: Redis, user: str, key: str
) -> None:
    async with connections.control(url_of(guarded.url, user)) as client:
        with pytest.raises(NoPermissionError):
            await client.xadd(key, {"event": "forged"})

    assert await admin.xlen(key) == 1


@pytest.mark.parametrize("user", ["audit", "warehouse", "notifier", "relay", "feed", "looker"])
async def test_tokens_are_read_by_nobody_who_does_not_call_portals(
    guarded: RedisServer, admin: Redis, user: str
) -> None:
    await admin.hset(f"b24:oauth:{{{MEMBER}}}", "sealed", "x")
    async with connections.control(url_of(guarded.url, user)) as client:
        with pytest.raises(NoPermissionError):
            await client.hgetall(f"b24:oauth:{{{MEMBER}}}")


async def test_whoever_has_no_account_may_do_nothing(guarded: RedisServer, admin: Redis) -> None:
    """As the file says of the default user, whom only these tests have."""
    await asked(admin, "ACL SETUSER default off")
    with suppress(ResponseError):
        async with Redis.from_url(guarded.url) as stranger:
            with pytest.raises(AuthenticationError):
                await stranger.ping()
    async with connections.control(url_of(guarded.url, "admin")) as client:
        assert await client.ping()
        await asked(client, "ACL SETUSER default on")


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_user_of_the_file_has_the_rights_that_the_tests_of_processes_give(
    guarded: RedisServer, admin: Redis, name: str
) -> None:
    """Which are set by `ACL SETUSER` there."""
    await asked(admin, "ACL SETUSER again reset on >fake-password")
    client: Any = admin
    await client.execute_command("ACL", "SETUSER", "again", *rights_of(name))
    (loaded, again) = [
        await client.execute_command("ACL", "GETUSER", one) for one in (name, "again")
    ]
    parts = (b"flags", b"commands", b"keys", b"channels", b"selectors")

    assert {part: loaded[part] for part in parts} == {part: again[part] for part in parts}
    assert await denied(admin) == []
