"""A load on a small installation is accounted for, and what is not accounted for is found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from tests.benchmarks.load_test.accounting import LoadFault
from tests.benchmarks.load_test.load_run import LoadRun
from tests.benchmarks.load_test.ramp import Next, Ramp, RampPlan
from tests.benchmarks.load_test.steps import Limits
from tests.benchmarks.load_test.target import LoadRefused, Target, opened
from tests.benchmarks.load_test.verifying_service import GROUP
from tests.integration.operating.installation import Installation
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually
from tests.support.spooled import spooled

pytestmark = pytest.mark.timeout(300)  # processes that start one after another

EVENTS = Streams().key("events", 0)
LIGHT = RampPlan(first=60.0, most=60.0, step_s=1.0, hold_s=2.0)
PATIENT = Limits(p99_ms=20_000.0, failed_share=0.0, backlog_s=60.0)
"""What is tried here is the account; a busy machine may take its time."""


class LoadedInstallation:
    """A receiver, an audit log and an enricher, and a load that is open on them."""

    def __init__(self, run: LoadRun, target: Target, redis: Any, audit: ConsumerProcess) -> None:
        self.run, self.target, self.redis, self.audit = run, target, redis, audit

    async def load(self, plan: RampPlan = LIGHT) -> Ramp:
        return await self.run.ramp(plan, PATIENT)

    async def faults(self, *, timeout_s: float = 60) -> list[LoadFault]:
        return await self.run.verified(timeout_s=timeout_s)


@asynccontextmanager
async def loading(
    redis: Redis, redis_url: str, directory: Path, *, partitions: int = 1
) -> AsyncIterator[LoadedInstallation]:
    streams = Streams(partitions=partitions)
    settings = {"REDIS_PARTITIONS": str(partitions)}
    installation = Installation(directory, redis_url, settings=settings)
    async with installation.receiving() as receiver:
        with (
            installation.consuming("audit", GATEWAY_AUDIT_DIR=str(directory / "audit")) as audit,
            installation.consuming("enricher"),
        ):
            target = Target(
                url=f"http://127.0.0.1:{receiver.port}/bitrix24/events",
                portal=SANDBOX,
                redis_url=redis_url,
                redis_shown=redis_url,
                streams=streams,
            )

            async def have_begun() -> bool:
                leases = [
                    streams.lease(group, partition)
                    for group in ("audit", "enricher")
                    for partition in range(partitions)
                ]
                return all([await redis.exists(lease) for lease in leases])

            await eventually(have_begun)
            async with (
                opened(target) as opened_redis,
                LoadRun(target, opened_redis, directory, seed=1, say=print) as run,
            ):
                yield LoadedInstallation(run, target, redis, audit)


def whats(faults: list[LoadFault]) -> list[tuple[int, str]]:
    return [(one.count, one.what) for one in faults]


async def test_every_event_of_a_load_is_accounted_for(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with loading(redis, redis_url, tmp_path) as loaded:
        ramp = await loaded.load(RampPlan(first=60.0, most=120.0, factor=2.0, step_s=1.5, hold_s=2))
        faults = await loaded.faults()

        assert faults == []
        assert ramp.held == 120.0, ramp.ended
        assert [one.phase for one in loaded.run.steps] == ["ramp", "ramp", "hold"]
        accepted = [one for one in loaded.run.deliveries if one.is_accepted]
        assert len(accepted) == len(loaded.run.deliveries) > 200
        assert {one.comment_id >= 9_000_000_000 for one in accepted} == {True}
        step = loaded.run.steps[-1]
        assert step.cores.keys() >= {"receiver", "audit", "enricher", "redis"}
        assert step.redis is not None
        assert step.redis.memory_bytes > 0

    groups: Any = await redis.xinfo_groups(EVENTS)
    assert GROUP.encode() not in {one["name"] for one in groups}


async def test_a_second_load_is_refused_and_harms_nothing_of_the_first(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with loading(redis, redis_url, tmp_path) as loaded:
        with pytest.raises(LoadRefused, match=f"gateway groups remove {GROUP}"):
            async with opened(loaded.target):
                pass

        groups: Any = await redis.xinfo_groups(EVENTS)
        assert GROUP.encode() in {one["name"] for one in groups}


async def test_a_load_on_a_cluster_is_accounted_for(cluster_url: str, tmp_path: Path) -> None:
    async with (
        connections.control(cluster_url) as redis,
        loading(redis, cluster_url, tmp_path, partitions=4) as loaded,
    ):
        ramp = await loaded.load()
        faults = await loaded.faults()

    assert faults == []
    assert ramp.held == 60.0, ramp.ended


async def test_an_event_that_is_removed_from_the_stream_is_found_to_be_missing(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with loading(redis, redis_url, tmp_path) as loaded:
        await loaded.load()
        ((entry_id, fields),) = await loaded.redis.xrevrange(EVENTS, count=1)
        await loaded.redis.xdel(EVENTS, entry_id)

        faults = await loaded.faults()

    assert whats(faults) == [
        (1, "answered 200 are not on events"),
        (1, "answered 200 were not read by the verifying group"),
    ]
    assert faults[0].examples[0].encode() in fields[b"event"]


async def test_events_that_went_through_the_spool_are_accounted_for(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        connections.control(own_server.url) as redis,
        loading(redis, own_server.url, tmp_path) as loaded,
    ):
        before = await redis.xlen(EVENTS)

        async def has_begun() -> bool:
            return int(await redis.xlen(EVENTS)) > before

        step = asyncio.create_task(loaded.run.step(Next("ramp", 60.0, 5.0), PATIENT))
        await eventually(has_begun)
        own_server.pause()
        try:
            await eventually(lambda: spooled(tmp_path / "spool") > 0)
        finally:
            own_server.resume()
        await step
        await loaded.run.collect()

        faults = await loaded.faults()

    assert any(one.stored == "spool" for one in loaded.run.deliveries)
    assert faults == []


async def test_events_that_a_group_is_not_given_are_found(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with loading(redis, redis_url, tmp_path) as loaded:
        await loaded.audit.stop()
        await loaded.run.step(Next("ramp", 60.0, 2.0), PATIENT)
        await loaded.run.collect()
        accepted = len(loaded.run.deliveries)

        faults = await loaded.faults(timeout_s=2)

        assert whats(faults) == [(accepted, "were not given to group audit on events")]


async def test_events_past_which_a_group_was_moved_are_found(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with loading(redis, redis_url, tmp_path) as loaded:
        await loaded.audit.stop()
        await loaded.run.step(Next("ramp", 60.0, 2.0), PATIENT)
        await loaded.run.collect()
        about = await loaded.redis.xinfo_stream(EVENTS)
        groups = await loaded.redis.xinfo_groups(EVENTS)
        (read,) = (one["entries-read"] for one in groups if one["name"] == b"audit")
        # What it had not read when it was told to stop, besides.
        passed_over = about["entries-added"] - read
        assert passed_over >= len(loaded.run.deliveries) > 0
        await loaded.redis.xgroup_setid(EVENTS, "audit", "$", entries_read=about["entries-added"])

        faults = await loaded.faults()

    # By what the balance misses, too, or by that alone if audit had not begun to count before.
    assert {(one.count, "group audit on events" in one.what) for one in faults} == {
        (passed_over, True)
    }
