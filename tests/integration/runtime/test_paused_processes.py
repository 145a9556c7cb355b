"""Real processes of a group that is paused: killed, taken over from, and with a long backlog."""

from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from consumers import CommentEvent
from consumers.testing import comment_event
from gateway.contract import Streams
from tests.integration.runtime.pausable import KEY, pause, pending_count, resume
from tests.integration.runtime.running import publish, settled
from tests.support.consumer_process import SERVICE, ConsumerProcess, Worker, service
from tests.support.eventually import eventually

GROUP = "search-index"
STREAMS = Streams()
LAST = 9_000_000
_MANY = 40_000
_BOUND_BYTES = 20 << 20
# Forty thousand ids alone would be 8 MB, their events 60 MB and more.


async def add(redis: Redis, portal: str, count: int, *, subjects: int = 100) -> list[CommentEvent]:
    events = [comment_event(number % subjects + 1, member_id=portal) for number in range(count)]
    for first in range(0, count, 5000):
        await publish(redis, KEY, events[first : first + 5000])
    return events


async def test_what_waits_is_not_blamed_for_processes_that_are_killed_meanwhile(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    waiting = await add(redis, "aaa", 2000)
    await redis.xgroup_create(KEY, GROUP, "0")
    await pause(redis, portal="aaa", group=GROUP)
    others: list[CommentEvent] = []
    for number in range(6):  # five would make a dead letter of an entry that was in hand
        with service(redis_url, tmp_path, GATEWAY_CONSUMERS_LEASE_S="2") as process:
            others += await add(redis, "bbb", 10)
            await are_handled(process, len(others))
            assert await pending_count(redis, group=GROUP) >= len(waiting)
            if number < 5:
                process.kill()
                continue
            await resume(redis, group=GROUP)
            await eventually(lambda: settled(redis, KEY, GROUP))
            handled = [effect[0] for effect in process.effects()]

    assert await redis.xlen(STREAMS.dead(GROUP, 0)) == 0
    assert set(handled) == {event.id for event in (*waiting, *others)}
    waited = {event.id for event in waiting}
    own = [one for one in handled if one in waited]
    assert len(own) == len(waiting)
    comment_of = {event.id: event.data.comment_id for event in waiting}
    for comment_id in range(1, 101):
        assert [one for one in own if comment_of[one] == comment_id] == [
            event.id for event in waiting if event.data.comment_id == comment_id
        ]


async def are_handled(process: ConsumerProcess, count: int) -> None:
    await eventually(lambda: len(process.effects()) >= count)


@pytest.mark.parametrize("is_before_the_start", [False, True])
async def test_forty_thousand_entries_of_a_paused_portal_keep_nobody_waiting(
    redis: Redis, redis_url: str, tmp_path: Path, *, is_before_the_start: bool
) -> None:
    """They are read past while it runs, or found pending by a process that takes over."""
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    if is_before_the_start:
        waiting = await add(redis, "aaa", _MANY)
        while await redis.xreadgroup(GROUP, "owner", {KEY: ">"}, count=5000):
            pass
    await pause(redis, portal="aaa", group=GROUP)
    with Worker(SERVICE, tmp_path, {"GATEWAY_REDIS_URL": redis_url}) as process:
        process.launch()
        await add(redis, "bbb", 10)
        await eventually(lambda: len(process.effects()) == 10)
        rss = psutil.Process(process.pid).memory_info().rss
        if not is_before_the_start:
            waiting = await add(redis, "aaa", _MANY)
        await add(redis, "ccc", 100)
        await eventually(lambda: len(process.effects()) == 110)
        assert await pending_count(redis, group=GROUP) >= _MANY
        grown = psutil.Process(process.pid).memory_info().rss - rss
        assert grown < _BOUND_BYTES, f"{grown / (1 << 20):.0f} MB"

        await resume(redis, group=GROUP)
        await publish(redis, KEY, [comment_event(LAST, member_id="ccc")])
        effects = tmp_path / "effects"
        await eventually(lambda: f" {LAST} " in effects.read_text())
        assert len(process.effects()) < _MANY, "what comes now need not wait for what has waited"
        await eventually(lambda: settled(redis, KEY, GROUP), timeout_s=180)
        handled = [effect[0] for effect in process.effects()]

    assert len(handled) == len(set(handled)) == _MANY + 111
    assert {event.id for event in waiting} < set(handled)
