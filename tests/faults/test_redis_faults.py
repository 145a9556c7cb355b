"""Redis dies, hangs, is full, answers into the void, or is not ready yet: nothing is lost."""

import asyncio

import pytest
from redis.asyncio import Redis

from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from tests.support.stage import Stage


@pytest.mark.short
async def test_redis_is_killed_and_stays_away(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url)
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        server.kill()
        await asyncio.sleep(stage.span(short=1.5, full=30))
        server.start()
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > account.accepted / 4
    assert account.refused == account.unanswered == 0


async def test_redis_hangs(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url)
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        server.pause()
        await asyncio.sleep(stage.span(short=3, full=8))
        server.resume()
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0


@pytest.mark.short
async def test_replies_are_lost_after_the_write(stage: Stage) -> None:
    server = stage.server()
    async with LossyProxy(on_loopback(server.port)) as proxy:
        receiver = await stage.receiver(proxy.url)
        async with stage.load(receiver) as load:
            await load.until_answered_from("stream", timeout_s=10)
            for count in range(round(stage.span(short=4, full=20))):
                # One: the repetition is confirmed. Two or more: the batch goes to the spool too.
                proxy.lose_replies(1 + count % 4)
                await proxy.until_lost()
                await load.until_answered_from("stream", timeout_s=20)

        account = await stage.settle(load.deliveries, server)

    assert account.refused == account.unanswered == 0
    assert account.stored == account.accepted


async def test_redis_is_out_of_memory(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url)
    async with Redis.from_url(server.url) as client, stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        await client.config_set("maxmemory", "1mb")
        await asyncio.sleep(stage.span(short=1, full=8))
        await client.config_set("maxmemory", "0")
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0


async def test_redis_loads_its_data_for_seconds(stage: Stage) -> None:
    """After a restart it accepts connections and answers LOADING until it has read its file."""
    server = stage.server()
    receiver = await stage.receiver(server.url)
    async with Redis.from_url(server.url) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(20_000):
            pipeline.set(f"ballast:{number}", number)
        await pipeline.execute()
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        server.kill()
        slow = await asyncio.to_thread(
            # Microseconds for each command of its file: options for tests, since Redis 6.2.
            stage.server,
            "redis",
            "--key-load-delay",
            "250",
            port=server.port,
        )
        await load.until_answered_from("stream", timeout_s=60)

    account = await stage.settle(load.deliveries, slow)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0
    assert "BusyLoadingError" in receiver.log
