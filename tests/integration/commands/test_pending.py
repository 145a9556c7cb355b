"""`gateway pending`: which entries a group has in hand, and why, whoever worked on them last."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Transient
from gateway.cli import cli
from gateway.contract import CommentData, EventSubject, Streams, encode_event, source_of
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, gateway, publish, running
from tests.support.consumer_process import service
from tests.support.eventually import eventually

KEY = "b24:events:{0}"
GROUP = "search-index"


async def rows(url: str, *arguments: str, **environ: str) -> list[dict[str, Any]]:
    output = await gateway(url, "pending", "--within", "30", "--json", *arguments, **environ)
    return [json.loads(line) for line in output.splitlines()]


async def invoked(url: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("GATEWAY_REDIS_URL", url)
    return await asyncio.to_thread(
        CliRunner().invoke, cli, ["pending", "--within", "30", *arguments]
    )


async def test_what_fails_and_what_hangs_are_told_apart_also_when_the_owner_is_dead(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [comment_event(number) for number in (1, 2, 3)]
    await publish(redis, KEY, events)
    await redis.xgroup_create(KEY, GROUP, "0")
    with service(
        redis_url,
        tmp_path,
        SERVICE_FAILS_AT="2",
        SERVICE_HANGS_AT="3",
        GATEWAY_CONSUMERS_LEASE_S="2",
    ) as process:

        async def has_failed() -> list[dict[str, Any]]:
            found = await rows(redis_url, "--group", GROUP)
            is_so = [one["subject"] for one in found] == ["comment/2", "comment/3"]
            return found if is_so and found[0]["failure"] else []

        failing, hanging = await eventually(has_failed)
        process.kill()

    assert (failing["event_id"], hanging["event_id"]) == (events[1].id, events[2].id)
    assert failing["portal"] == "portal"
    assert failing["domain"] == "acme.bitrix24.com"
    assert failing["failure"]["error"] == "Transient: the index is away: password=***"
    assert failing["failure"]["attempts"] >= 1
    assert failing["failure"]["handler"] == "index"
    assert hanging["failure"] is None
    assert failing["deliveries"] == hanging["deliveries"] == 1
    assert failing["owner"] == hanging["owner"]
    assert failing["waits_s"] >= failing["in_hand_s"] >= 0

    async def is_nobodys() -> list[dict[str, Any]]:
        found = await rows(redis_url, "--group", GROUP)
        return found if found[0]["owner"] is None else []

    left = await eventually(is_nobodys)
    assert [one["subject"] for one in left] == ["comment/2", "comment/3"]
    assert left[0]["failure"]["error"] == failing["failure"]["error"]

    shown = await invoked(redis_url, "--group", GROUP, monkeypatch=monkeypatch)
    assert shown.exit_code == 0
    head, first, second, last = shown.output.splitlines()
    assert head.split()[:3] == ["ENTRY", "EVENT", "PORTAL"]
    assert "ago: Transient: the" in first
    assert second.split()[-2:] == ["-", "-"]
    assert last == "search-index: 2 of 2 entries in hand. Owners of partitions: 0: nobody"


def event_of(portal: str, comment_id: int) -> CommentEvent:
    plain = comment_event(comment_id)
    return CommentEvent(
        id=plain.id,
        source=source_of(portal),
        type=plain.type,
        subject=plain.subject,
        time=plain.time,
        receivedat=plain.receivedat,
        data=CommentData(comment_id=comment_id, member_id=portal, domain=f"{portal}.example"),
    )


async def test_one_portal_is_found_among_others_and_the_oldest_are_shown(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(redis, KEY, [event_of("a", number) for number in range(1, 1001)])
    await publish(redis, KEY, [event_of("b", number) for number in (7, 8)])
    await redis.xgroup_create(KEY, GROUP, "0")
    await redis.xreadgroup(GROUP, "owner", {KEY: ">"})

    oldest = await rows(redis_url, "--group", GROUP, "--limit", "3")
    assert [one["subject"] for one in oldest] == ["comment/1", "comment/2", "comment/3"]
    for name in ("b", "b.example"):
        found = await rows(redis_url, "--group", GROUP, "--portal", name)
        assert [one["subject"] for one in found] == ["comment/7", "comment/8"]
    shown = await invoked(redis_url, "--group", GROUP, "--portal", "c", monkeypatch=monkeypatch)
    assert shown.output == f"{GROUP}: 0 of 1002 entries in hand of c\n"


async def test_what_is_no_event_or_was_trimmed_is_shown_as_what_it_is(
    redis: Redis, redis_url: str
) -> None:
    await redis.xadd(KEY, {"event": "\x1b]0;no event"})
    await publish(redis, KEY, [comment_event(1)])
    await redis.xgroup_create(KEY, GROUP, "0")
    await redis.xreadgroup(GROUP, "owner", {KEY: ">"})
    await redis.xtrim(KEY, maxlen=0, approximate=False)

    found = await rows(redis_url, "--group", GROUP)

    assert [(one["event_id"], one["subject"]) for one in found] == [(None, None)] * 2


async def test_a_group_that_there_is_not_is_answered_with_those_there_are(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.xgroup_create(KEY, "audit", "0", mkstream=True)

    shown = await invoked(redis_url, "--group", "audti", monkeypatch=monkeypatch)
    idle = await invoked(redis_url, "--group", "audit", monkeypatch=monkeypatch)

    assert "there is no group audti; there are: audit" in str(shown.exception)
    assert (idle.exit_code, idle.output) == (0, "audit has nothing in hand\n")


async def test_it_works_on_all_nodes_of_a_cluster(cluster_url: str) -> None:
    streams = Streams(partitions=4)
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise Transient("away")

    async with connections.control(cluster_url) as redis:
        for key in streams.keys("events"):
            await redis.xgroup_create(key, "index", "0", mkstream=True)
        for number in range(1, 9):
            partition = streams.partition_of("portal", EventSubject.of_comment(number))
            key = streams.key("events", partition)
            await redis.xadd(key, {"event": encode_event(comment_event(number))})
    async with running(app, cluster_url, partitions=4):

        async def have_failed() -> bool:
            found = await rows(cluster_url, "--group", "index", GATEWAY_REDIS_PARTITIONS="4")
            ids = [one["entry_id"].split("-") for one in found]
            assert ids == sorted(ids, key=lambda one: (int(one[0]), int(one[1])))
            return len(found) == 8 and sum(one["failure"] is not None for one in found) > 3

        await eventually(have_failed)
