"""The record of gaps, and what operators see of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from gateway.cli import cli
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.gaps import Gap, Way, gaps_of

Told = Callable[..., Awaitable[str]]
ACME, OTHER = "acme", "other"


def gap(first: float, last: float, events: int, way: Way = "queue") -> Gap:
    return Gap(first=first, last=last, events=events, way=way)


@pytest.fixture
def book(redis: Redis) -> GapBook:
    return GapBook(redis, prefix="b24")


@pytest.fixture
def told(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What `gateway portals gaps …` prints, for two portals of the settings."""
    portals = [
        {"member_id": one, "domain": f"{one}.example", "application_tokens": ["fake"]}
        for one in (ACME, OTHER)
    ]
    monkeypatch.setenv("GATEWAY_REDIS_URL", redis_url)
    monkeypatch.setenv("GATEWAY_PORTALS", json.dumps(portals))

    async def told(*arguments: str) -> str:
        command = ["portals", "gaps", *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, cli, command)
        assert result.exit_code == 0, result.output
        return result.output

    return told


async def test_noting_it_again_changes_nothing(book: GapBook) -> None:
    for _ in range(3):
        await book.note(ACME, "a reservation", [gap(0, 100, 7)])
        await book.note(ACME, "another one", [gap(1000, 1001, 2)])
    await book.note(OTHER, "a reservation", [gap(5, 5, 1)])

    assert await book.of(ACME) == [gap(0, 100, 7), gap(1000, 1001, 2)]
    assert await book.of(OTHER) == [gap(5, 5, 1)]


async def test_what_was_found_in_several_places_is_told_as_one_gap(book: GapBook) -> None:
    await book.note(ACME, "second", gaps_of([60, 90], "queue"))
    await book.note(ACME, "first", gaps_of([0, 30], "queue"))

    assert await book.of(ACME) == [gap(0, 90, 4)]


async def test_the_newest_are_kept_and_not_for_ever(book: GapBook, redis: Redis) -> None:
    for number in range(700):
        at = number * 1000
        await book.note(ACME, str(number), [gap(at, at, 1)])

    kept = await book.of(ACME)
    assert 500 <= len(kept) <= 550
    assert kept[-1].last == 699_000
    assert await redis.ttl("b24:gaps:{acme}") > 80 * 24 * 3600


async def test_an_operator_sees_when_how_many_and_how_they_were_found(
    book: GapBook, told: Told
) -> None:
    await book.note(ACME, "a", [gap(1_766_000_000, 1_766_000_300, 200)])
    await book.note(OTHER, "b", [gap(1_766_000_000, 1_766_000_000, 1, "sweep")])

    lines = (await told()).splitlines()

    assert lines[0].split() == ["MEMBER", "ID", "FIRST", "LAST", "EVENTS", "FOUND", "BY"]
    acme = [ACME, "2025-12-17T19:33:20Z", "2025-12-17T19:38:20Z", "200", "queue"]
    assert lines[1].split() == acme
    assert lines[2].split()[0] == OTHER
    (only,) = (await told("--portal", OTHER, "--json")).splitlines()
    assert json.loads(only) == {
        "member_id": OTHER,
        "first": "2025-12-17T19:33:20Z",
        "last": "2025-12-17T19:33:20Z",
        "events": 1,
        "found_by": "sweep",
    }


async def test_without_gaps_that_is_said(told: Told) -> None:
    assert await told() == "nothing was missed, as far as is known\n"
    assert await told("--json") == ""
