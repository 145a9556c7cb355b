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
