"""`gateway tail` of what is there: up to an end, of a comment, of what a group has not handled."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import CommentEvent, encode_event
from gateway.redis_access import connections
from tests.integration.runtime.running import gateway, publish
from tests.support.program import surroundings
from tests.support.starting import finished

KEY = "b24:events:{0}"
LINE = ("--format", "{id}")


async def shown(url: str, *arguments: str, **environ: str) -> list[str]:
    return (await gateway(url, "tail", *arguments, **environ)).splitlines()


def ids(events: Sequence[CommentEvent]) -> list[str]:
    return [event.id for event in events]


async def test_what_is_there_is_shown_and_nothing_is_waited_for(
    redis: Redis, redis_url: str
) -> None:
    events = [comment_event(number % 2, member_id="aaa") for number in range(1, 9)]
    await publish(redis, KEY, events)

    assert await shown(redis_url, "--no-follow", *LINE) == ids(events)
    assert await shown(redis_url, "--no-follow", "--comment", "1", *LINE) == ids(events[::2])
    assert await shown(redis_url, "--no-follow", "--portal", "bbb") == []
    (line,) = await shown(
        redis_url, "--no-follow", "--count", "1", "--format", "{portal} {subject} {type} {user}"
    )
    assert line == "portal.bitrix24.example comment/1 bitrix24.crm.timeline.comment.updated 1"


async def test_a_tail_ends_with_what_was_stored_by_then(redis: Redis, redis_url: str) -> None:
    events = [comment_event(number) for number in range(1, 4)]
    for number, event in enumerate(events):
        fields: Any = {"event": encode_event(event)}
        await redis.xadd(KEY, fields, id=f"{1_700_000_000_000 + number * 1000}-0")

    until = "2023-11-14T22:13:22Z"  # two seconds after the first
    assert await shown(redis_url, "--until", until, *LINE) == ids(events[:2])


async def test_of_a_group_only_what_it_has_not_handled(redis: Redis, redis_url: str) -> None:
    assert not await redis.dbsize()
    await look_at_a_group(redis_url)


async def test_of_a_group_on_a_cluster_only_what_it_has_not_handled(cluster_url: str) -> None:
    await look_at_a_group(cluster_url)


async def look_at_a_group(url: str) -> None:
    events = [comment_event(number) for number in range(1, 11)]
    async with connections.control(url) as redis:
        await publish(redis, KEY, events)
        await redis.xgroup_create(KEY, "index", "0")
        taken: Any = await redis.xreadgroup("index", "owner", {KEY: ">"}, count=6)
        given = [entry_id for entry_id, _ in taken[KEY.encode()]]
        await redis.xack(KEY, "index", *given[:2], *given[3:])

    unhandled = [events[2], *events[6:]]
    assert await shown(url, "--group", "index", "--no-follow", *LINE) == ids(unhandled)


async def test_more_than_the_rate_is_skipped_and_counted(redis: Redis, redis_url: str) -> None:
    await publish(redis, KEY, [comment_event(number) for number in range(1, 501)])

    done = await finished(
        (sys.executable, "-m", "gateway", "tail", "--no-follow", "--rate", "10"),
        environment=surroundings() | {"GATEWAY_REDIS_URL": redis_url},
    )
    skipped = sum(int(line.split()[1]) for line in done.stderr.splitlines() if "skipped" in line)
    assert 10 <= len(done.stdout.splitlines()) < 500
    assert len(done.stdout.splitlines()) + skipped == 500


async def test_names_that_there_are_not_are_told(redis_url: str) -> None:
    done = await finished(
        (sys.executable, "-m", "gateway", "tail", "--format", "{who}"),
        environment=surroundings() | {"GATEWAY_REDIS_URL": redis_url},
    )
    assert done.returncode == 2
    assert "who: there are time, type, subject" in done.stderr


@pytest.mark.parametrize(
    ("event_type", "is_told"),
    [
        ("deal.update", True),
        ("deal.updated", False),
        ("crm.item.1036.*", False),
        ("acme.machine.*", False),
    ],
)
async def test_a_type_that_no_event_is_of_is_told(
    redis_url: str, event_type: str, is_told: object
) -> None:
    declared = '[{"name": "onAcmeMachineStop", "type": "bitrix24.acme.machine.stopped"}]'
    done = await finished(
        (sys.executable, "-m", "gateway", "tail", "--no-follow", "--type", event_type),
        environment=surroundings() | {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_EVENTS": declared},
    )

    assert done.returncode == 0, done.stderr
    assert ("no event that is known here is of the type" in done.stderr) is is_told
