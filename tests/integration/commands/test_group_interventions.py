"""`gateway groups pause`, `resume`, `strike`, `unstrike`, and what `gateway groups` says of it."""

import json
import os
import sys
from typing import Any

from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.redis_access import connections
from tests.integration.runtime.running import gateway
from tests.support.starting import finished

STREAMS = Streams()
KEY = STREAMS.key("events", 0)


async def refused(url: str, *arguments: str) -> tuple[int, str]:
    done = await finished(
        (sys.executable, "-m", "gateway", *arguments),
        environment=os.environ | {"GATEWAY_REDIS_URL": url},
    )
    return done.returncode, done.stdout + done.stderr


async def groups(url: str, **environ: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (await gateway(url, "groups", "--json", **environ)).splitlines()
    ]


async def test_a_group_is_paused_and_resumed(redis: Redis, redis_url: str) -> None:
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)

    said = await gateway(redis_url, "groups", "pause", "index", "--until", "2h")
    assert said.startswith("index is paused: the whole group, since ")
    assert ", until " in said
    await gateway(redis_url, "groups", "pause", "index", "--portal", "aaa", "--type", "app.*")
    (row,) = await groups(redis_url)
    assert [one["selection"] for one in row["pauses"]] == [{}, {"portal": "aaa", "type": "app.*"}]
    table = await gateway(redis_url, "groups")
    assert "whole" in table.splitlines()[1]
    assert "index is paused: portal=aaa type=app.*, since" in table

    said = await gateway(redis_url, "groups", "resume", "index")
    assert "index is not paused any more: the whole group" in said
    assert "index is still paused: portal=aaa type=app.*" in said
    assert "in part" in await gateway(redis_url, "groups")
    await gateway(redis_url, "groups", "resume", "index", "--all")
    assert (await groups(redis_url))[0]["pauses"] == []


async def test_a_pause_is_prolonged_and_begins_when_it_began(redis: Redis, redis_url: str) -> None:
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)
    first = json.loads(await gateway(redis_url, "groups", "pause", "index", "--json"))
    second = json.loads(
        await gateway(redis_url, "groups", "pause", "index", "--until", "1d", "--json")
    )

    assert "until" not in first
    assert second["since"] == first["since"]
    assert (await groups(redis_url))[0]["pauses"] == [second]


async def test_what_cannot_be_meant_is_told(redis: Redis, redis_url: str) -> None:
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)

    assert await refused(redis_url, "groups", "pause", "indx") == (
        2,
        "gateway: there is no group indx; there are: index\n",
    )
    code, said = await refused(redis_url, "groups", "pause", "index", "--until", "2020-01-01")
    assert (code, "is over" in said) == (2, True)
    assert await refused(redis_url, "groups", "resume", "index") == (1, "index has no such pause\n")
    code, said = await refused(redis_url, "groups", "strike", "index")
    assert (code, "give --event, --subject or --portal" in said) == (2, True)
    code, said = await refused(redis_url, "groups", "unstrike", "index", "--portal", "aaa")
    assert (code, said) == (1, "index has struck no such events\n")


async def test_events_are_struck_until_that_is_lifted(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        for key in Streams(partitions=4).keys("events"):
            await redis.xgroup_create(key, "index", "0", mkstream=True)
    environ = {"GATEWAY_REDIS_PARTITIONS": "4"}
    arguments = ("index", "--subject", "comment/7", "--portal", "aaa")

    said = await gateway(cluster_url, "groups", "strike", *arguments, **environ)
    assert said.startswith("index makes dead letters of: portal=aaa subject=comment/7, since ")
    assert all(len(row["strikes"]) == 1 for row in await groups(cluster_url, **environ))
    assert "index has struck: portal=aaa" in await gateway(cluster_url, "groups", **environ)
    said = await gateway(cluster_url, "groups", "strike", *arguments, "--lift", **environ)
    assert said.startswith("index handles again: portal=aaa subject=comment/7")
    assert not any(row["strikes"] for row in await groups(cluster_url, **environ))
