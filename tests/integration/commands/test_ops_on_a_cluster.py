"""The operator's commands on a cluster, where the partitions lie on several nodes."""

import json
from pathlib import Path
from typing import Any

from consumers import CommentEvent, Consumer, Entry, Reject
from gateway.contract import EventSubject, Streams, encode_event
from gateway.redis_access import connections
from tests.integration.commands.tail_process import TailProcess
from tests.integration.runtime.running import comment_event, gateway, running
from tests.support.eventually import eventually

STREAMS = Streams(partitions=4)
PARTITIONS = {"GATEWAY_REDIS_PARTITIONS": "4"}


async def publish(url: str, count: int) -> list[CommentEvent]:
    """An event for each comment from 1 to `count`, on its partition."""
    events = [comment_event(number + 1) for number in range(count)]
    async with connections.control(url) as redis:
        for event in events:
            partition = STREAMS.partition_of(
                "portal", EventSubject.of_comment(event.data.comment_id)
            )
            await redis.xadd(STREAMS.key("events", partition), {"event": encode_event(event)})
    return events


async def invoke(url: str, *arguments: str) -> list[Any]:
    output = await gateway(url, *arguments, "--json", **PARTITIONS)
    return [json.loads(text) for text in output.splitlines()]


async def test_tail_follows_the_partitions_of_all_nodes(cluster_url: str, tmp_path: Path) -> None:
    arguments = ("--since", "1h", "--count", "20")
    with TailProcess(tmp_path, cluster_url, *arguments, **PARTITIONS) as tail:
        await publish(cluster_url, 20)
        subjects = [(await tail.line()).split("  ")[2] for _ in range(20)]

        assert await tail.ended() == 0
    assert sorted(subjects) == sorted(f"comment/{number + 1}" for number in range(20))


async def test_groups_dead_letters_and_replays_work_on_all_nodes(cluster_url: str) -> None:
    is_broken = True
    handled: list[Entry] = []
    app = Consumer(group="index", stream="events", max_attempts=1)

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        if is_broken:
            raise Reject("never")
        handled.append(entry)

    events = await publish(cluster_url, 12)
    async with running(app, cluster_url, partitions=4):

        async def are_dead() -> bool:
            return len(await invoke(cluster_url, "dead", "list")) == 12

        await eventually(are_dead)
        (shown,) = await invoke(
            cluster_url, "dead", "show", "--group", "index",
            (await invoke(cluster_url, "dead", "list"))[0]["address"],
        )  # fmt: skip
        is_broken = False
        retried = await invoke(cluster_url, "dead", "retry", "--group", "index", "--all", "--yes")
        await eventually(lambda: len(handled) == 12)
        counted = await invoke(
            cluster_url, "replay", "--group", "index", "--from", "1h", "--dry-run"
        )
        replayed = await invoke(cluster_url, "replay", "--group", "index", "--from", "1h")
        await eventually(lambda: len(handled) == 24)
        rows = await invoke(cluster_url, "groups")

    assert shown["reason"] == "rejected"
    assert (retried, counted) == (
        [{"retried": 12}],
        [{"entries": 12, "dry_run": True, "is_estimate": False}],
    )
    assert replayed == [{"entries": 12, "dry_run": False}]
    assert [entry.is_replay for entry in handled] == [False] * 12 + [True] * 12
    assert {entry.event.id for entry in handled} == {event.id for event in events}
    assert [(row["partition"], row["lag"], row["dead_letters"]) for row in rows] == [
        (number, 0, 0) for number in range(4)
    ]
    assert all(row["owner"] and row["oldest_pending_s"] < 60 for row in rows)


async def test_dropped_dead_letters_are_gone_from_all_nodes(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        for number in range(4):
            letter: dict[Any, Any] = {"event": b"x", "group": "index", "attempts": 1}
            await redis.xadd(STREAMS.dead("index", number), letter)

    assert await invoke(cluster_url, "dead", "drop", "--group", "index", "--all", "--yes") == [
        {"dropped": 4}
    ]
    assert await invoke(cluster_url, "dead", "list", "--group", "index") == []
