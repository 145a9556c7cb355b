"""Claims that somebody waits for: one party leaves places and turns to the others."""

from contextlib import ExitStack

import pytest
from redis.asyncio import Redis

from gateway.installation.checks import Checks
from gateway.installation.errors import InstallationDelayed

SERVER = "https://oauth.example/"


@pytest.fixture
def checks(redis: Redis) -> Checks:
    return Checks(redis, prefix="b24")


async def test_one_party_has_two_of_the_eight_places(checks: Checks) -> None:
    with ExitStack() as places:
        for party in ("a", "b", "c", "d"):
            for _ in range(2):
                places.enter_context(checks.place(urgent_for=party))
            with pytest.raises(InstallationDelayed):
                places.enter_context(checks.place(urgent_for=party))
        with pytest.raises(InstallationDelayed):
            places.enter_context(checks.place(urgent_for="e"))
        places.enter_context(checks.place(urgent_for=""))  # nobody waits for that one

    with checks.place(urgent_for="a"), checks.place(urgent_for="e"):
        pass


async def test_a_party_that_has_had_its_turns_leaves_some_to_another_one(checks: Checks) -> None:
    with pytest.raises(InstallationDelayed):
        for _ in range(100):
            await checks.turn(SERVER, urgent_for="a")

    await checks.turn(SERVER, urgent_for="b")
    await checks.turn(SERVER, urgent_for="")


async def test_no_party_is_named_in_redis(checks: Checks, redis: Redis) -> None:
    await checks.turn(SERVER, urgent_for="192.0.2.7")

    assert not [key async for key in redis.scan_iter("*192.0.2.7*")]
