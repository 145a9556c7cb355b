"""What `gateway repartition` refuses, what it says, and who says that a change is under way."""

import os
import sys
from typing import Any

from msgspec import json
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.heartbeats.process_report import ProcessReport, encoded
from gateway.ops import partition_change as steps
from tests.support.repartitioning import change_partitions
from tests.support.starting import finished


async def said(url: str, *arguments: str, **environ: str) -> tuple[int, str, str]:
    done = await finished(
        (sys.executable, "-m", "gateway", *arguments),
        environment=os.environ | {"GATEWAY_REDIS_URL": url} | environ,
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_number_is_that_of_the_installation_whatever_the_settings_say(
    redis: Redis, redis_url: str
) -> None:
    code, _, _ = await said(redis_url, "repartition", "3", "--yes")
    assert code == 0
    await redis.xgroup_create("b24:events:{1}", "index", "0", mkstream=True)

    code, out, _ = await said(redis_url, "groups", "--json", GATEWAY_REDIS_PARTITIONS="7")
    rows: list[Any] = [json.decode(line) for line in out.splitlines()]
    assert [(row["partition"], row["partitions"]) for row in rows] == [(1, 3)]
    _, out, _ = await said(redis_url, "groups")
    assert "events are spread into 3 partitions (1..3), after 1 former ones" in out
    _, out, _ = await said(redis_url, "status", "--json")
    assert json.decode(out)["partitions"]["count"] == 3
    _, out, _ = await said(redis_url, "doctor", "--json", GATEWAY_REDIS_PARTITIONS="7")
    assert "[redis] partitions is 7, and the installation has 3, which holds" in out


async def test_it_refuses_what_cannot_be(redis: Redis, redis_url: str) -> None:
    code, _, err = await said(redis_url, "repartition", "1", "--yes")
    assert (code, "there are 1 partitions already" in err) == (2, True)
    await steps.announce(redis, Streams(), 4)
    code, _, err = await said(redis_url, "repartition", "2", "--yes")
    assert (code, "gateway repartition 4" in err) == (2, True)
    code, _, err = await said(redis_url, "repartition")
    assert (code, "say either" in err) == (2, True)
    await said(redis_url, "repartition", "--abort", "--yes")
    code, _, err = await said(redis_url, "repartition", "--abort", "--yes")
    assert (code, "no change is under way" in err) == (1, True)

    report = ProcessReport(role="consumer", host="h", pid=7, version="0.1.0", is_ready=True)
    now_ms = int((await redis.time())[0]) * 1000
    raw = json.encode(json.decode(encoded(report)) | {"at": now_ms, "started_at": now_ms})
    await redis.hset("b24:processes", "old", raw)
    code, _, err = await said(redis_url, "repartition", "2", "--yes")
    assert (code, "of version 0.1.0, which does not follow" in err) == (2, True)
    assert not await redis.exists("b24:partitions:next")
    assert not await redis.exists("b24:events:{0}:sealed")


async def test_a_dry_run_changes_nothing(redis: Redis, redis_url: str) -> None:
    code, out, _ = await said(redis_url, "repartition", "4", "--dry-run", "--json")

    assert code == 0
    assert json.decode(out)["numbers"] == "1..4"
    assert await redis.keys("*") == []


async def test_a_change_that_was_not_ended_is_told(redis: Redis, redis_url: str) -> None:
    streams = Streams()
    await steps.announce(redis, streams, 4)
    await steps.seal(redis, streams, 0)
    await redis.hset("b24:partitions", "since_ms", "1000")

    code, out, _ = await said(redis_url, "status")
    assert code == 1
    assert "a change to 4 of the 1 partitions was begun and not ended" in " ".join(out.split())
    _, out, _ = await said(redis_url, "doctor")
    assert "gateway repartition 4, or gateway repartition --abort" in " ".join(out.split())

    code, out, _ = await said(redis_url, "repartition", "--abort", "--yes")
    assert (code, out) == (0, "there are 1 partitions as before\n")
    assert not await redis.exists("b24:events:{0}:sealed")
    assert await redis.hgetall("b24:partitions") == {b"counts": b"1"}


async def test_it_stands_in_the_audit_log(redis: Redis, redis_url: str) -> None:
    await said(redis_url, "repartition", "2", "--yes", "--reason", "more processes")

    entries: Any = await redis.xrange("b24:events:{0}")
    ((_, fields),) = entries
    record = json.decode(fields[b"event"])
    assert record["type"] == "gateway.operator.acted"
    assert record["data"]["action"] == "partitions changed"
    assert (record["data"]["selection"], record["data"]["count"]) == ("from 1 to 2", 2)
    assert record["data"]["reason"] == "more processes"


async def test_tail_has_former_partitions_and_those_that_are_added_meanwhile(
    redis: Redis, redis_url: str
) -> None:
    await change_partitions(redis, 2)
    for partition in range(3):
        await redis.xadd(f"b24:events:{{{partition}}}", {"event": "no event"})

    _, out, _ = await said(redis_url, "tail", "--no-follow", "--json")

    assert {json.decode(line)["stream"] for line in out.splitlines()} == {
        f"b24:events:{{{partition}}}" for partition in range(3)
    }
