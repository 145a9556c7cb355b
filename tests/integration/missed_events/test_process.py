"""One of several processes leads; how it starts, stands by, takes over and stops."""

import aiohttp
from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer
from tests.integration.missed_events.conftest import Reconcilers
from tests.integration.missed_events.reconciler import Reconciler
from tests.support.eventually import eventually

LEASE = "b24:reconcile:lease"


def leads(one: Reconciler) -> bool:
    return bool(one.lines("leading"))


async def asked(one: Reconciler, path: str) -> tuple[int, str]:
    """Status and body of an answer; (0, "") when nobody listens."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{one.port}/{path}") as response,
        ):
            return response.status, await response.text()
    except aiohttp.ClientConnectorError:
        return 0, ""


async def test_another_process_takes_over_from_one_that_was_killed(
    reconcilers: Reconcilers,
) -> None:
    first = reconcilers()
    await eventually(lambda: leads(first))
    second = reconcilers()

    async def stands_by() -> bool:
        return await asked(second, "readyz") == (200, "ready")

    await eventually(stands_by)
    assert not leads(second)
    first.kill()

    await eventually(lambda: leads(second))
    _, text = await asked(second, "metrics")
    assert "b24gw_reconcile_leads 1.0" in text


async def test_a_stop_lets_the_next_one_lead_at_once(
    reconcilers: Reconcilers, redis: Redis
) -> None:
    first = reconcilers(RECONCILE_LEASE_S="60")
    await eventually(lambda: leads(first))

    assert await first.stop() == 0

    assert await redis.exists(LEASE) == 0
    assert first.lines("stopped")
    assert "Traceback" not in first.log


async def test_a_process_that_was_suspended_too_long_gives_way(reconcilers: Reconcilers) -> None:
    first = reconcilers()
    await eventually(lambda: leads(first))
    first.freeze()
    second = reconcilers()
    await eventually(lambda: leads(second))

    first.thaw()

    await eventually(lambda: bool(first.lines("leadership lost")))
    assert len(first.lines("leading")) == 1


async def test_while_redis_is_away_the_process_is_alive_and_not_ready_and_then_goes_on(
    reconcilers: Reconcilers, own_server: RedisServer
) -> None:
    one = reconcilers(REDIS_URL=own_server.url)
    await eventually(lambda: leads(one))
    own_server.kill()

    async def is_not_ready() -> bool:
        return await asked(one, "readyz") == (503, "redis does not answer")

    await eventually(is_not_ready)
    assert await asked(one, "healthz") == (200, "alive")
    own_server.start()

    async def is_ready() -> bool:
        return await asked(one, "readyz") == (200, "ready")

    await eventually(is_ready)


async def test_once_ends_by_itself_and_steps_back_where_another_process_leads(
    reconcilers: Reconcilers,
) -> None:
    assert await reconcilers(arguments=("reconcile", "--once")).ended() == 0
    leader = reconcilers()
    await eventually(lambda: leads(leader))

    once = reconcilers(arguments=("reconcile", "--once"))

    assert await once.ended() == 2
    assert "another process of `gateway reconcile` is at it" in once.log


async def test_a_wrong_setting_ends_the_start_with_one_line(reconcilers: Reconcilers) -> None:
    one = reconcilers(BITRIX24_CLIENT_ID="local.fake", BITRIX24_CLIENT_SECRET="fake")

    assert await one.ended() == 2
    assert "[vault] keys" in one.log
    assert "Traceback" not in one.log
