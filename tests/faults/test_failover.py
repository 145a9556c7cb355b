"""A replica takes over: nothing that was answered 200 under `replicated:1` is missing there."""

import asyncio

from redis.asyncio import Redis

from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from tests.support.eventually import eventually
from tests.support.replicas import until_in_step
from tests.support.stage import Stage

REPLICATED = {"PUBLISH_ACK": "replicated:1", "PUBLISH_DEADLINE_S": "1"}


async def test_a_replica_takes_over(stage: Stage) -> None:
    primary = stage.server("primary")
    replica = stage.server("replica", "--replicaof", f"127.0.0.1 {primary.port}")
    await until_in_step(primary)
    async with (
        LossyProxy(on_loopback(primary.port)) as address,
        Redis.from_url(replica.url) as client,
    ):
        receiver = await stage.receiver(address.url, REPLICATED)
        async with stage.load(receiver) as load:
            await load.until_answered_from("stream", timeout_s=10)
            await asyncio.sleep(stage.span(short=1, full=5))
            primary.kill()
            await asyncio.sleep(stage.span(short=1, full=3))
            await client.replicaof("NO", "ONE")
            address.lead_to(on_loopback(replica.port))
            # Alone it confirms nothing: events wait in the spool until it has a replica, too.
            await load.until_answered_from("spool", timeout_s=20)
            stage.server("second replica", "--replicaof", f"127.0.0.1 {replica.port}")
            await load.until_answered_from("stream", timeout_s=60)

        account = await stage.settle(load.deliveries, replica)

    assert account.refused == account.unanswered == 0


async def test_a_replica_takes_over_that_had_fallen_behind(stage: Stage) -> None:
    """What it lacks was not confirmed, so it is in the spool, though the primary had it."""
    primary = stage.server("primary")
    replica = stage.server("replica", "--replicaof", f"127.0.0.1 {primary.port}")
    await until_in_step(primary)
    async with (
        LossyProxy(on_loopback(primary.port)) as address,
        Redis.from_url(replica.url) as client,
    ):
        receiver = await stage.receiver(address.url, REPLICATED)
        async with stage.load(receiver) as load:
            await load.until_answered_from("stream", timeout_s=10)
            replica.pause()
            await load.until_answered_from("spool", timeout_s=20)
            # The drainer repeats what the primary has already: that confirms nothing either.
            await asyncio.sleep(stage.span(short=3, full=6))
            primary.kill()
            replica.resume()
            await client.replicaof("NO", "ONE")
            address.lead_to(on_loopback(replica.port))
            stage.server("second replica", "--replicaof", f"127.0.0.1 {replica.port}")
            await load.until_answered_from("stream", timeout_s=60)

        account = await stage.settle(load.deliveries, replica)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0


async def test_the_old_primary_lives_on_as_a_replica(stage: Stage) -> None:
    """Connections to it stay open, and it answers that it is read-only."""
    primary, other = stage.server("primary"), stage.server("other")
    async with (
        LossyProxy(on_loopback(primary.port)) as address,
        Redis.from_url(primary.url) as old,
        Redis.from_url(other.url) as new,
    ):
        await new.replicaof("127.0.0.1", primary.port)
        await until_in_step(primary)
        receiver = await stage.receiver(address.url, REPLICATED)
        async with stage.load(receiver) as load:
            await load.until_answered_from("stream", timeout_s=10)
            # As an orderly switch does it: writes end, the replica catches up and takes over.
            await old.client_pause(1000, all=False)
            await until_in_step_by_offset(old, new)
            await new.replicaof("NO", "ONE")
            address.lead_to(on_loopback(other.port))
            await old.replicaof("127.0.0.1", other.port)
            await load.until_answered_from("stream", timeout_s=60)

        account = await stage.settle(load.deliveries, other)

    assert account.refused == account.unanswered == 0


async def until_in_step_by_offset(primary: Redis, replica: Redis) -> None:
    """Wait until the replica has all that a paused primary wrote."""

    async def is_in_step() -> bool:
        ahead = (await primary.info("replication"))["master_repl_offset"]
        return bool((await replica.info("replication"))["slave_repl_offset"] >= ahead)

    await eventually(is_in_step)
