"""The last hour in Redis: what a receiver measures, and that it stays as small as it is."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.balance.reading import read_balance
from gateway.contract import Streams
from gateway.heartbeats.process_list import processes
from gateway.history.recorder import HistoryRecorder
from gateway.history.sample_ring import (
    SLOT_MS,
    GroupSample,
    HistorySample,
    read_samples,
    write_sample,
)
from gateway.sandbox.portal import SANDBOX
from tests.integration.operating.installation import Installation, posted
from tests.support.eventually import eventually

KEY = "b24:history"
NOW_MS = 1_796_000_000_000


async def test_an_hour_of_two_receivers_is_a_ring_of_fixed_size(redis: Redis) -> None:
    groups = tuple(GroupSample(f"g{number:03}", "events", number, 0, 0) for number in range(200))
    for number in range(300):
        for late_ms in (0, 7_000):
            sample = HistorySample(NOW_MS + number * SLOT_MS + late_ms, number, groups)
            await write_sample(redis, "b24", sample)

    found = await read_samples(redis, "b24")

    assert [one.accepted for one in found] == list(range(180, 300))
    assert {len(one.groups) for one in found} == {50}
    assert found[0].groups[0].group == "g199"
    client: Any = redis
    assert await client.hlen(KEY) == 120
    assert await client.memory_usage(KEY, samples=0) < 500_000
    assert 3500 < await redis.ttl(KEY) <= 3600


async def test_what_another_version_wrote_is_passed_over(redis: Redis) -> None:
    await write_sample(redis, "b24", HistorySample(NOW_MS, 5, ()))
    for slot, value in (("7", "nonsense"), ("8", '{"a": 1}'), ("9", '[1,"two"]')):
        await redis.hset(KEY, slot, value)

    assert [one.accepted for one in await read_samples(redis, "b24")] == [5]


async def test_a_receiver_measures_groups_throughput_and_answers(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    here = Installation(tmp_path, redis_url)
    async with here.receiving() as receiver:
        await eventually(lambda: redis.exists(KEY))  # of its start

        async def answers() -> int:
            found = await processes(redis, prefix="b24")
            return sum(sum(one.report.answers) for one in found)

        recorder = HistoryRecorder(redis, prefix="b24")
        balance = await read_balance(redis, Streams())
        await eventually(lambda: processes(redis, prefix="b24"))
        await recorder.record(replace(balance, at_ms=NOW_MS))
        await redis.xgroup_create("b24:events:{0}", "index", "0", mkstream=True)
        for number in (1, 2, 3):
            await posted(receiver, SANDBOX, number)

        async def is_told() -> bool:
            return await answers() == 3

        await eventually(is_told)
        await redis.xreadgroup("index", "one", {"b24:events:{0}": ">"}, count=1)

        async def counted() -> HistorySample | None:
            balance = await read_balance(redis, Streams())
            await recorder.record(replace(balance, at_ms=NOW_MS + SLOT_MS))
            last = next(
                one for one in await read_samples(redis, "b24") if one.at_ms == NOW_MS + SLOT_MS
            )
            return last if last.accepted == 3 else None

        sample = await eventually(counted)

    assert sample is not None
    assert sample.groups == (GroupSample("index", "events", 2, 1, 0),)
