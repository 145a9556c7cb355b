"""A clock that was ahead, and has been put right, leaves nothing waiting for the time it told."""

import time

import pytest
from redis.asyncio import Redis

from consumers.enricher.refetch_queue import RefetchQueue
from consumers.testing import comment_event
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import OperationTimeLimit, TooManyRequests
from gateway.contract import Streams, encode_event
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import MEMBER_ID, type_of_connect

BUCKET = f"b24:rest:{{{MEMBER_ID}}}:bucket"
HOUR_S = 3600


async def test_a_bucket_in_the_future_is_full_and_no_more(
    redis: Redis, connected: type_of_connect, portal: LivePortal
) -> None:
    async with connected(
        webhook=portal.webhook_url, requests_per_s=10.0, burst=10, call_timeout_s=5.0
    ) as gateway:
        await redis.set(BUCKET, round((time.time() + HOUR_S) * 1_000_000), ex=HOUR_S)
        await gateway.portal(MEMBER_ID).call("profile")
        left_s = int(await redis.get(BUCKET) or 0) / 1_000_000 - time.time()
        assert left_s < 1.5

        await redis.set(BUCKET, round((time.time() + 25) * 1_000_000), ex=HOUR_S)
        with pytest.raises(TooManyRequests):  # as far ahead as the limits may ask for
            await gateway.portal(MEMBER_ID).call("profile")


async def test_a_hold_that_is_longer_than_any_is_over(
    redis: Redis, gateway: Bitrix24, portal: LivePortal
) -> None:
    assert portal.member_id == MEMBER_ID
    await redis.set(f"b24:rest:{{{MEMBER_ID}}}:held:profile", 1, ex=HOUR_S)
    await gateway.portal(MEMBER_ID).call("profile")
    await redis.set(f"b24:rest:{{{MEMBER_ID}}}:held:profile", 1, ex=300)
    with pytest.raises(OperationTimeLimit):
        await gateway.portal(MEMBER_ID).call("profile")


async def test_a_lock_that_lives_longer_than_any_is_nobodys(gateway: Bitrix24) -> None:
    assert gateway.tokens is not None
    one = await gateway.tokens.lock(MEMBER_ID, "one", life_s=3600.0)
    assert await gateway.tokens.lock(MEMBER_ID, "two", life_s=10.0) == one + 1
    assert await gateway.tokens.lock(MEMBER_ID, "three", life_s=10.0) == 0


async def test_what_is_due_later_than_any_pause_is_due_now(redis: Redis) -> None:
    def queue(ahead_s: float) -> RefetchQueue:
        return RefetchQueue(
            redis,
            Streams(),
            group="enricher",
            output="comments",
            first_s=60.0,
            kept_days=2.0,
            max_count=10,
            clock=lambda: time.time() + ahead_s,
        )

    event = comment_event(1)
    for write in queue(365 * 24 * HOUR_S).writes(0, event.id, encode_event(event)):
        await redis.execute_command(write.command, write.key, *write.arguments)  # type: ignore[no-untyped-call]
    usual = queue(0)
    due = await usual.due(0)
    assert set(due) == {event.id}
    assert due[event.id].since_ms <= time.time() * 1000
    await usual.postpone(0, due)
    assert await usual.due(0) == {}
    assert set(await queue(61).due(0)) == {event.id}
