"""The memory gate: near the limit events wait in the spool, and come out of it again."""

from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.contract import Streams
from gateway.drill.delivery_load import DeliveryLoad
from gateway.publishing.memory_gate import MemoryGate, shall_close
from tests.support.eventually import eventually
from tests.support.receiver_process import receiving


@pytest.mark.parametrize(
    ("share", "was", "becomes"),
    [
        (0.89, "open", "open"),
        (0.90, "open", "closed"),
        (0.87, "closed", "closed"),
        (0.85, "closed", "open"),
        (0.0, "closed", "open"),
    ],
)
def test_the_gate_closes_at_the_limit_and_opens_clearly_below_it(
    share: float, was: str, becomes: str
) -> None:
    assert shall_close(share, 0.9, is_closed=was == "closed") is (becomes == "closed")


async def test_the_gate_follows_the_servers_memory_and_says_so_once(redis: Redis) -> None:
    used = (await redis.info("memory"))["used_memory"]
    gate = MemoryGate(redis, Streams(), max_share=0.5)
    with capture_logs() as logs:
        gate.start()
        try:
            assert not gate.is_closed(0)
            await redis.config_set("maxmemory", used)
            await eventually(gate.is_any_closed)
            await redis.config_set("maxmemory", used * 100)
            await eventually(lambda: not gate.is_closed(0))
        finally:
            await gate.close()
            await redis.config_set("maxmemory", 0)

    assert [line["log_level"] for line in logs] == ["error", "info"]


async def test_a_receiver_spools_near_the_limit_and_drains_when_there_is_memory_again(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiving(tmp_path, redis_url) as receiver:
        try:
            async with DeliveryLoad([receiver.port], rate=100) as load:
                await load.until_answered_from("stream", timeout_s=10)
                used = (await redis.info("memory"))["used_memory"]
                await redis.config_set(
                    "maxmemory", round(used / 0.95)
                )  # Redis itself would take more
                await load.until_answered_from("spool", timeout_s=10)
                length = await redis.xlen("b24:events:{0}")
                await redis.config_set("maxmemory", used * 100)
                await load.until_answered_from("stream", timeout_s=10)
            accepted = sum(delivery.is_accepted for delivery in load.deliveries)
            assert accepted == len(load.deliveries)
            assert length < accepted == await redis.xlen("b24:events:{0}")
        finally:
            await redis.config_set("maxmemory", 0)
