"""Facts of portals against a real server."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.portals.facts import Facts, PortalFacts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def facts(redis: Redis) -> PortalFacts:
    return PortalFacts(redis, prefix="b24")


async def test_facts_are_kept_by_portal_and_written_one_by_one(facts: PortalFacts) -> None:
    await asyncio.gather(
        facts.learn("m1", endpoint="https://a.example/rest/", installed_at=NOW),
        facts.learn("m1", unbound={"ONAPPTEST": "refused"}, queue="not_in_plan"),
        facts.learn("m.2", domain="b.example"),
    )

    assert await facts.of("m1") == Facts(
        endpoint="https://a.example/rest/",
        installed_at=NOW,
        unbound={"ONAPPTEST": "refused"},
        queue="not_in_plan",
    )
    assert await facts.of("nobody") == Facts()
    assert list(await facts.all()) == ["m.2", "m1"]
    assert (await facts.all())["m1"] == await facts.of("m1")


async def test_a_portal_is_installed_until_it_is_uninstalled_and_again_afterwards(
    facts: PortalFacts,
) -> None:
    assert not (await facts.of("m1")).is_installed
    await facts.learn("m1", installed_at=NOW)
    assert (await facts.of("m1")).is_installed
    await facts.learn("m1", uninstalled_at=NOW.astimezone(timezone(timedelta(hours=3))))
    assert (await facts.of("m1")).uninstalled_at == NOW
    assert not (await facts.of("m1")).is_installed
    await facts.learn("m1", installed_at=NOW, uninstalled_at=None)
    assert (await facts.of("m1")).is_installed


async def test_a_portal_can_be_forgotten(facts: PortalFacts) -> None:
    await facts.learn("m1", domain="a.example")
    await facts.learn("m2", domain="b.example")

    await facts.forget("m1")

    assert list(await facts.all()) == ["m2"]


async def test_what_is_no_fact_is_refused(facts: PortalFacts) -> None:
    with pytest.raises(ValueError, match="colour"):
        await facts.learn("m1", colour="red")


async def test_what_somebody_else_wrote_there_is_passed_over(
    facts: PortalFacts, redis: Redis
) -> None:
    await facts.learn("m1", domain="a.example")
    written: Any = {"m1:queue": "{", "m1:installed_at": '"never"', "m1:colour": '"red"', "x": "1"}
    await redis.hset("b24:{portals}:facts", mapping=written)

    assert await facts.all() == {"m1": Facts(domain="a.example")}
    assert await facts.of("m1") == Facts(domain="a.example")
