"""`gateway replay`: one group is given old events again, and nobody else notices."""

import json
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Entry, testing
from gateway.contract import EntryId, decode_event, encode_event, timestamps
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.eventually import eventually
from tests.support.program import Program

KEY = "b24:events:{0}"
AGAIN = "b24:replay:index:{0}"


def consumer(handled: list[Entry]) -> Consumer:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        handled.append(entry)

    return app


async def test_a_replay_reaches_one_group_flagged_and_within_its_bounds(
    redis: Redis, redis_url: str
) -> None:
    handled: list[Entry] = []
    await redis.xgroup_create(KEY, "other", "0", mkstream=True)
    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    async with running(consumer(handled), redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
        from_id, to_id = handled[2].id, handled[6].id
        arguments = ("replay", "--group", "index", "--from", from_id, "--to", to_id, "--json")
        counted = json.loads(await gateway(redis_url, *arguments, "--dry-run"))
        assert len(handled) == 10
        await gateway(redis_url, *arguments)
        await eventually(lambda: len(handled) == 15)

    assert counted == {"entries": 5, "dry_run": True, "is_estimate": False}
    assert [entry.id for entry in handled[10:]] == [entry.id for entry in handled[2:7]]
    assert [entry.is_replay for entry in handled] == [False] * 10 + [True] * 5
    assert await redis.xlen(KEY) == 10


async def test_a_replay_by_time_begins_with_what_was_stored_then(
    redis: Redis, redis_url: str
) -> None:
    handled: list[Entry] = []
    hour_ago_ms = round((time.time() - 3600) * 1000)
    for minute in (0, 30, 50):
        entry_id = f"{hour_ago_ms + 60_000 * minute}-0"
        await redis.xadd(KEY, {"event": encode_event(comment_event(minute + 1))}, id=entry_id)
    async with running(consumer(handled), redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
        await gateway(redis_url, "replay", "--group", "index", "--from", "45m", "--to", "20m")
        await eventually(lambda: len(handled) == 4)

    assert handled[3].event.subject == "comment/31"


async def test_a_replay_gives_no_more_entries_a_second_than_it_was_told(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, KEY, [comment_event(number + 1) for number in range(100)])
    await redis.xgroup_create(KEY, "index", "$")

    await gateway(redis_url, "replay", "--group", "index", "--from", "1h", "--rate", "50")

    entries: Any = await redis.xrange("b24:replay:index:{0}")
    given = [milliseconds(entry_id) for entry_id, _fields in entries]
    assert len(given) == 100
    assert given[-1] - given[0] >= 1700  # a hundred, less the last portion, at 50 a second
    busiest = max(sum(first <= one < first + 1000 for one in given) for first in given)
    assert busiest <= 60  # 50, and a portion of 10 at either end


async def test_a_replay_with_effects_is_handled_like_new_events(
    redis: Redis, redis_url: str
) -> None:
    handled: list[Entry] = []
    await publish(redis, KEY, [comment_event(1)])
    async with running(consumer(handled), redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
        await gateway(redis_url, "replay", "--group", "index", "--from", "1h", "--effects")
        await eventually(lambda: len(handled) == 2)

    assert [entry.is_replay for entry in handled] == [False, False]


def milliseconds(entry_id: bytes) -> int:
    return EntryId.of(entry_id).ms


async def test_a_replay_gives_only_what_is_meant(redis: Redis, redis_url: str) -> None:
    some = [testing.comment_event(n % 3, member_id="aaa") for n in range(6)]
    others = [testing.comment_event(n % 3, member_id="bbb") for n in range(6)]
    await publish(redis, KEY, [event for pair in zip(some, others, strict=True) for event in pair])
    await redis.xgroup_create(KEY, "index", "$")

    async def given(*arguments: str) -> list[str]:
        told = json.loads(
            await gateway(
                redis_url, "replay", "--group", "index", "--from", "1h", "--json", *arguments
            )
        )
        entries: Any = await redis.xrange(AGAIN)
        await redis.delete(AGAIN)
        assert told["entries"] == (len(entries) or told["entries"])
        return [decode_event(fields[b"event"]).id for _, fields in entries]

    assert await given("--portal", "aaa", "--dry-run") == []
    assert await given("--portal", "aaa") == [event.id for event in some]
    assert await given("--event", others[2].id) == [others[2].id]
    assert await given("--type", "comment.added") == []


async def test_a_replay_that_is_interrupted_says_how_it_goes_on(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(n) for n in range(1, 301)])
    await redis.xgroup_create(KEY, "index", "$")
    arguments = ("replay", "--group", "index", "--from", "1h", "--rate", "50")
    with Program(
        (sys.executable, "-m", "gateway", *arguments),
        log_file=tmp_path / "replay.log",
        environment={"GATEWAY_REDIS_URL": redis_url},
    ) as program:
        program.launch()

        async def has_begun() -> bool:
            return bool(await redis.xlen(AGAIN))

        await eventually(has_begun)
        program.send(signal.SIGINT)
        await eventually(lambda: not program.is_running)
        assert program.exit_code == 130
    said = (tmp_path / "replay.log").read_text()
    assert "stopped; it goes on with:" in said
    before = await redis.xlen(AGAIN)
    assert 0 < before < 300

    line = said.splitlines()[-1].replace("--rate 50", "--rate 5000")
    await gateway(redis_url, *shlex.split(line)[1:])
    entries: Any = await redis.xrange(AGAIN)
    stored: Any = await redis.xrange(KEY)
    assert [fields[b"entry_id"] for _, fields in entries] == [one for one, _ in stored]


async def test_what_the_stream_has_no_more_is_said(redis: Redis, redis_url: str) -> None:
    await publish(redis, KEY, [comment_event(n) for n in range(1, 11)])
    await redis.xgroup_create(KEY, "index", "$")
    arguments = ("replay", "--group", "index", "--from", "30d", "--dry-run", "--json")
    assert "begins_at" not in json.loads(await gateway(redis_url, *arguments))

    await redis.xtrim(KEY, maxlen=5, approximate=False)
    told = json.loads(await gateway(redis_url, *arguments))
    first: Any = await redis.xrange(KEY, count=1)
    begins_ms = int(first[0][0].partition(b"-")[0])
    assert told["begins_at"] == timestamps.milliseconds(begins_ms)
    assert told["entries"] == 5
