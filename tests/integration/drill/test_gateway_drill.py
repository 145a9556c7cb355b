"""A drill harms what is its own, touches nothing else, and leaves nothing but its record."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from signal import SIGINT
from typing import Any

import psutil
import pytest
from msgspec import json
from redis.asyncio import Redis

from gateway.contract import EventSubject, Streams
from gateway.drill.drill_faults import FAULTS
from gateway.drill_record import last_drill
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.operator_record import OPERATOR_ACTED
from gateway.redis_access import connections
from tests.integration.drill.drilling_here import drill_process, drilled, spool_of
from tests.support.eventually import eventually
from tests.support.redis_users import USER, acl_file_in, denied, rights_of, url_of, without

pytestmark = pytest.mark.timeout(300)  # most of which a drill waits

STREAMS = Streams(partitions=2)
RECORDED_ON = STREAMS.key("events", STREAMS.partition_of("gateway", EventSubject("operator")))


@pytest.fixture
def server(server_binary: ServerBinary, tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the users of deploy/redis/users.acl."""
    options = ("--aclfile", str(acl_file_in(tmp_path)))
    server = RedisServer(server_binary, tmp_path / "redis", append_only=True, options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def admin(server: RedisServer) -> AsyncIterator[Redis]:
    """A client of a server in which an installation is at work: a group has events in hand."""
    async with connections.control(server.url) as client:
        for stream in ("events", "comments"):
            for key in STREAMS.keys(stream):
                for number in (1, 2, 3):
                    await client.xadd(key, {"event": f"{number}"})
                await client.xgroup_create(key, "audit", "0")
                await client.xreadgroup("audit", "one", {key: ">"}, count=2)
        await client.hset("b24:pauses:audit", "all", "x")
        yield client


async def contents(redis: Redis) -> dict[str, Any]:
    """Every key as it is, byte for byte; of streams what is known of their groups, too."""
    found: dict[str, Any] = {}
    async for key in redis.scan_iter():
        name = key.decode()
        asking: Any = redis
        about = None
        if await redis.type(key) == b"stream":
            about = await asking.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", "0")
        found[name] = (await redis.dump(key), about)
    return found


async def entries_on_record(redis: Redis) -> list[Any]:
    found: Any = await redis.xrange(RECORDED_ON)
    return list(found)


def files(directory: Path) -> list[Path]:
    return [path for path in spool_of(directory).rglob("*") if path.is_file()]


async def test_all_faults_pass_by_the_least_rights_and_nothing_real_is_touched(
    server: RedisServer, admin: Redis, tmp_path: Path
) -> None:
    before, entries = await contents(admin), await entries_on_record(admin)
    spool_of(tmp_path).mkdir()
    (spool_of(tmp_path) / "spool.id").write_text("the real one")

    done = await drilled(url_of(server.url, "drill"), tmp_path)

    assert done.code == 0, done.errors + done.output
    assert list(done.outcomes) == list(FAULTS)
    for name, one in done.outcomes.items():
        assert one["wrong"] == [], name
        assert one["lost"] == one["doubled"] == 0, name
        assert one["handled"] == one["answered"] > 0, name
    assert done.outcomes["redis-away"]["spooled"] > 0
    assert done.outcomes["spool-full"]["refused"] > 0
    assert await denied(admin) == ["command acl|whoami"]  # which it can do without

    after = await contents(admin)
    assert after.keys() - before.keys() == {"b24:drill:last"}
    changed = {name for name, value in before.items() if after[name] != value}
    assert changed == {RECORDED_ON}
    *same, (_, recorded) = await entries_on_record(admin)
    assert same == entries
    event = json.decode(recorded[b"event"])
    assert (event["type"], event["data"]["action"]) == (OPERATOR_ACTED, "drilled")
    assert event["data"]["count"] == len(FAULTS)
    assert event["data"]["outcome"]["outcomes"] == done.record["outcomes"]
    assert files(tmp_path) == [spool_of(tmp_path) / "spool.id"]
    record = await last_drill(admin, "b24")
    assert record is not None
    assert record.is_well
    assert record.is_whole


async def test_what_is_lost_is_found(own_server: RedisServer, tmp_path: Path) -> None:
    """Somebody takes an event out of the spool that was answered 200."""
    command = drill_process(own_server.url, tmp_path, "--only", "redis-away", "--seconds", "2")
    with command as drill:
        drill.launch()
        await eventually(lambda: taken_from_the_spool(tmp_path))
        assert await drill.ended(timeout_s=250) == 1

    async with connections.control(own_server.url) as redis:
        record = await last_drill(redis, "b24")
    assert record is not None
    (outcome,) = record.outcomes
    assert outcome.lost == 1
    assert outcome.handled == outcome.answered - 1
    assert outcome.wrong == ("lost: 1 were answered 200 and never handled",)


def taken_from_the_spool(directory: Path) -> bool:
    """Whether the drill's spool held several events, of which the newest is gone now.

    The oldest are in the hands of whoever drains it already.
    """
    for file in spool_of(directory).glob("drill/*/spool/spool.sqlite3"):
        with (
            closing(sqlite3.connect(file, timeout=5)) as database,
            suppress(sqlite3.OperationalError),  # it has no table yet
            database,
        ):
            (count,) = database.execute("SELECT count(*) FROM batch").fetchone()
            if count > 20:
                newest = "SELECT max(position) FROM batch WHERE event_count = 1"
                taken = database.execute(f"DELETE FROM batch WHERE position = ({newest})")
                return taken.rowcount == 1
    return False


async def test_one_that_was_killed_is_cleaned_up_by_the_next(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with connections.control(own_server.url) as redis:
        with drill_process(own_server.url, tmp_path, "--seconds", "60") as drill:
            drill.launch()
            await eventually(lambda: "redis-away" in drill.log)
            await eventually(lambda: has_expiring_keys(redis))
            children = psutil.Process(drill.pid).children()
            drill.kill()

            refused = await drilled(own_server.url, tmp_path, "--clean")
            assert refused.code == 2
            assert "another drill runs: process" in refused.errors
        assert await keys_of_drills(redis)
        assert files(tmp_path)

        await eventually(lambda: not any(one.is_running() for one in children))
        await redis.delete("b24:drill:lease")  # as if its time had run out
        done = await drilled(own_server.url, tmp_path, "--only", "consumer-killed")

        assert done.code == 0, done.errors
        assert await keys_of_drills(redis) == ["b24:drill:last"]
        assert files(tmp_path) == []


async def has_expiring_keys(redis: Redis) -> bool:
    """Whether the streams of a drill end by themselves."""
    keys = [
        key
        for key in await keys_of_drills(redis)
        if re.fullmatch(r"b24:drill:[0-9a-f]{8}:events:\{\d\}", key)
    ]
    return len(keys) == 2 and all([0 < await redis.ttl(key) <= 3600 for key in keys])


async def keys_of_drills(redis: Redis) -> list[str]:
    return [key.decode() async for key in redis.scan_iter(match="b24:drill:*")]


async def test_ctrl_c_leaves_nothing_behind(own_server: RedisServer, tmp_path: Path) -> None:
    with drill_process(own_server.url, tmp_path, "--seconds", "60") as drill:
        drill.launch()
        await eventually(lambda: "redis-away" in drill.log)
        drill.send(SIGINT)
        assert await drill.ended() == 130

    assert "broken off" in drill.log
    async with connections.control(own_server.url) as redis:
        assert await redis.dbsize() == 0
    assert files(tmp_path) == []


async def test_a_right_that_is_missing_is_named(
    redis_url: str, users: Any, limited_url: str, tmp_path: Path
) -> None:
    rights = [*rights_of("drill"), "+acl|whoami", "+acl|dryrun"]
    await users(*without(rights, "xack", "xtrim"))

    done = await drilled(limited_url, tmp_path)

    assert done.code == 2
    assert f"user {USER} may not XTRIM, XACK as a drill must" in done.errors
    assert files(tmp_path) == []


async def test_a_right_that_is_missing_is_named_by_redis_where_it_may_not_be_asked(
    redis_url: str, users: Any, limited_url: str, tmp_path: Path
) -> None:
    await users(*rights_of("receiver"))

    done = await drilled(limited_url, tmp_path)

    assert done.code == 2
    assert "denies it" in done.errors
    assert done.errors.count("\n") == 1


async def test_redis_out_of_reach_is_told_in_a_line(tmp_path: Path) -> None:
    done = await drilled("redis://127.0.0.1:1", tmp_path)

    assert done.code == 2
    assert done.errors.startswith("gateway: Redis at 127.0.0.1:1 ")
    assert done.errors.count("\n") == 1
