"""`gateway dead`: what others wrote into a letter, and what is asked before letters are deleted."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Reject
from consumers.testing import comment_event
from gateway.cli import cli
from gateway.contract import DeadLetter, encode_event
from tests.integration.runtime.running import gateway, publish, running
from tests.support.eventually import eventually

LETTERS = "b24:dead:index:{0}"
HOSTILE = "no \x1b]0;owned\x07\r\n0/9-9  index  forged\x9b\u202e"


@pytest.fixture
async def letters(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """Two dead letters, one of them as another service writes it."""
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    fields: Any = {
        "event": "{}",
        "group": "index",
        "stream": "events",
        "entry_id": "1-0",
        "attempts": 3,
        "reason": "failed",
        "error": HOSTILE,
        "traceback": f"Traceback\n  {HOSTILE}",
    }
    await redis.xadd(LETTERS, fields)
    foreign: Any = {"event": b"\xff", "attempts": "abc", b"\xff\xfe": b"\xff", "group": "index"}
    await redis.xadd(LETTERS, foreign)
    return redis


def dead(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, ["dead", *arguments], input=stdin)


async def invoked(*arguments: str, stdin: str = "") -> Result:
    return await asyncio.to_thread(dead, *arguments, stdin=stdin)


async def test_a_letter_forges_no_row_and_ends_no_command(letters: Redis) -> None:
    listed = await invoked("list")
    lines = listed.output.splitlines()

    assert listed.exit_code == 0
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    address = lines[1].split()[0]
    shown = await invoked("show", address, "--group", "index")
    assert all(line.isprintable() for line in shown.output.splitlines())
    as_json = await invoked("show", address, "--group", "index", "--json")
    assert as_json.output.rstrip("\n").isprintable()
    assert json.loads(as_json.output)["error"] == HOSTILE


async def test_all_letters_are_deleted_only_if_somebody_says_so(letters: Redis) -> None:
    asked = await invoked("drop", "--group", "index", "--all", stdin="n\n")

    assert asked.exit_code == 1
    assert "delete 2 dead letters of index?" in asked.output
    assert await letters.xlen(LETTERS) == 2

    assert (await invoked("drop", "--group", "index", "--all", stdin="y\n")).exit_code == 0
    assert await letters.xlen(LETTERS) == 0


async def test_nobody_is_asked_with_yes_or_for_letters_that_were_named(letters: Redis) -> None:
    listed = await invoked("list", "--json")
    address = json.loads(listed.output.splitlines()[0])["address"]

    named = await invoked("drop", "--group", "index", address)
    sure = await invoked("drop", "--group", "index", "--all", "--yes")

    assert (named.output, sure.output) == ("dropped: 1\n", "dropped: 1\n")


async def many(redis: Redis, count: int) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for number in range(1, count + 1):
            fields: Any = {"event": "{}", "group": "index", "entry_id": f"{number}-0"}
            pipeline.xadd(LETTERS, fields | {"reason": "crashed" if number % 2 else "failed"})
        await pipeline.execute()


async def calls_of(redis: Redis, command: str) -> int:
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_many_letters_are_listed_and_changed_a_few_at_a_time(letters: Redis) -> None:
    await many(letters, 1_000)
    await letters.config_resetstat()

    listed = (await invoked("list")).output.splitlines()

    assert await calls_of(letters, "xrange") == 11
    assert listed[0].startswith("ADDRESS")
    places = [tuple(map(int, line.split()[0][2:].split("-"))) for line in listed[1:]]
    assert places == sorted(places)

    given_back = await invoked("retry", "--group", "index", "--all", "--reason", "crashed", "--yes")
    assert given_back.output == "given back: 500\n"
    assert await letters.xlen(LETTERS) == 502
    assert await letters.xlen("b24:replay:index:{0}") == 500


async def test_one_letter_among_many_is_read_by_its_id(letters: Redis) -> None:
    await many(letters, 1_000)
    address = json.loads((await invoked("list", "--json")).output.splitlines()[600])["address"]
    await letters.config_resetstat()

    shown = await invoked("show", address, "--group", "index", "--json")

    assert json.loads(shown.output)["entry_id"] == "599-0"
    assert await calls_of(letters, "xrange") == 1


async def plant(redis: Redis, *, first_ms: int = 1000) -> None:
    """Letters of two portals, as a group makes them: three of aaa, of which one is struck."""
    for number, (portal, reason) in enumerate(
        [("aaa", "failed"), ("aaa", "rejected"), ("aaa", "struck"), ("bbb", "failed")]
    ):
        event = comment_event(number + 1, member_id=portal, domain=f"{portal}.example")
        letter = DeadLetter(
            event=encode_event(event),
            group="index",
            stream="events",
            entry_id=f"{number + 1}-0",
            attempts=number,
            reason=reason,
            error=f"{'long ' * 40}{number}",
            failed_at="2026-01-01T00:00:00.000Z",
        )
        fields: Any = letter.fields()
        await redis.xadd(LETTERS, fields, id=f"{first_ms + number}-0")


async def test_letters_are_listed_by_what_they_are_about(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    await plant(redis)

    async def subjects(*arguments: str) -> list[str]:
        rows = (await invoked("list", "--json", *arguments)).output.splitlines()
        return [json.loads(row)["subject"] for row in rows]

    assert await subjects("--portal", "aaa") == ["comment/1", "comment/2", "comment/3"]
    assert await subjects("--portal", "bbb.example", "--reason", "failed") == ["comment/4"]
    assert await subjects("--type", "comment.added") == []
    assert await subjects("--subject", "comment/2") == ["comment/2"]
    moment = "1970-01-01T00:00:01.002Z"
    assert await subjects("--since", moment) == ["comment/3", "comment/4"]
    assert await subjects("--until", moment) == ["comment/1", "comment/2"]
    line = (await invoked("list")).output.splitlines()[1]
    assert "comment/1" in line
    assert "aaa.example" in line
    assert line.endswith("0"), "nothing of an error is cut off where there is room"


async def test_what_is_about_all_is_shown_and_asked_for(letters: Redis) -> None:
    await plant(letters, first_ms=9_000_000_000_000)
    chosen = ("--group", "index", "--portal", "aaa", "--all")

    shown = await invoked("retry", *chosen, "--dry-run")
    assert "3 dead letters" in shown.output
    assert "would be given back: 3\n" in shown.output
    assert "reason   failed 1, rejected 1, struck 1" in shown.output
    assert "portal   aaa.example 3" in shown.output
    refused = await invoked("retry", *chosen, stdin="n\n")
    assert (refused.exit_code, await letters.xlen(LETTERS)) == (1, 6)
    assert "give back 3 dead letters of index?" in refused.output

    assert (await invoked("retry", *chosen, stdin="y\n")).exit_code == 0
    assert await letters.xlen(LETTERS) == 3


async def test_a_second_death_keeps_how_it_died_before(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events", max_attempts=1)
    times = 0

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        nonlocal times
        times += 1
        raise Reject(f"no {times}")

    await publish(redis, "b24:events:{0}", [comment_event(1)])
    async with running(app, redis_url):
        for number in range(1, 4):

            async def is_dead(count: int = number) -> bool:
                return times == count and await redis.xlen(LETTERS) == 1

            await eventually(is_dead)
            if number < 3:
                await gateway(redis_url, "dead", "retry", "--group", "index", "--all", "--yes")
        (listed,) = (await gateway(redis_url, "dead", "list", "--json")).splitlines()
        shown = await gateway(
            redis_url, "dead", "show", "--group", "index", json.loads(listed)["address"]
        )

    letter = json.loads(listed)
    assert letter["error"] == "Reject: no 3"
    assert [one["error"] for one in letter["history"]] == ["Reject: no 1", "Reject: no 2"]
    assert shown.count("died before") == 2
