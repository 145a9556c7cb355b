"""`gateway dead`: what others wrote into a letter, and what is asked before letters are deleted."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from gateway.cli import cli

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
    assert [line.split()[4] for line in listed[3:]] == [f"/{n}-0" for n in range(1, 1_001)]

    given_back = await invoked("retry", "--group", "index", "--all", "--reason", "crashed")
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
