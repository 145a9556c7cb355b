"""A warehouse of many partitions: one load for all of them, whatever dies meanwhile."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from consumers import Transient
from consumers.warehouse.consumer import Loader
from consumers.warehouse.destination import destination
from consumers.warehouse.loading_process import LoadFailed
from gateway.background import owned
from tests.integration.runtime.running import comment_event, publish, settled
from tests.integration.warehouse.loading import ask_duckdb, entry
from tests.integration.warehouse.opening import kept_open
from tests.integration.warehouse.test_loading_process import (
    SPENT_S,
    delivered,
    loading_children,
    settings_for,
    spent_s,
)
from tests.support.consumer_process import logged, service
from tests.support.eventually import eventually

PARTITIONS = 8


def key(partition: int) -> str:
    return f"b24:comments:{{{partition}}}"


def loads(directory: Path) -> list[dict[str, Any]]:
    whole, _, _cut = logged(directory, "warehouse").rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "batch loaded"]


async def test_kills_of_consumer_and_child_leave_each_event_of_each_partition_once(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    environment = {
        "GATEWAY_REDIS_PARTITIONS": str(PARTITIONS),
        "GATEWAY_WAREHOUSE_DESTINATION": f"duckdb:///{tmp_path}/warehouse.duckdb",
        "GATEWAY_WAREHOUSE_WORK_DIR": str(tmp_path / "work"),
        "GATEWAY_WAREHOUSE_MAX_EVENTS": "400",
        "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.2",
        "GATEWAY_CONSUMERS_LEASE_S": "2",
        "GATEWAY_LOG_FORMAT": "json",
    }
    published: list[str] = []

    async def work(count: int) -> None:
        for partition in range(PARTITIONS):
            events = [comment_event(1000 * partition + one) for one in range(1, count + 1)]
            published.extend(event.id for event in events)
            await publish(redis, key(partition), events)

    async def all_settled() -> bool:
        return all([await settled(redis, key(one), "warehouse") for one in range(PARTITIONS)])

    for _life in range(2):
        with service(redis_url, tmp_path, name="warehouse", **environment) as process:
            await work(200)
            seen = len(loads(tmp_path))
            await eventually(lambda: len(loads(tmp_path)) > seen, timeout_s=60)  # noqa: B023
            for child in psutil.Process(process.pid).children():
                child.kill()
            await eventually(lambda: len(loads(tmp_path)) > seen + 1, timeout_s=60)  # noqa: B023
            process.kill()
    with service(redis_url, tmp_path, name="warehouse", **environment) as process:
        await eventually(all_settled, timeout_s=90)
        await work(5)
        await eventually(lambda: loads(tmp_path)[-1]["partitions"] == PARTITIONS, timeout_s=60)
        await eventually(all_settled)
        assert await process.stop() == 0

    found = ask_duckdb(str(tmp_path / "warehouse.duckdb"))(
        "SELECT event_id FROM bitrix24.comment_events"
    )
    assert sorted(found) == sorted((event_id,) for event_id in published)


async def test_of_several_partitions_those_are_to_blame_with_which_it_dies_twice(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path)
    loader = Loader(settings, destination(settings.warehouse.destination))
    innocent, other, deadly = (
        replace(delivered(entry("added", number)), partition=partition)
        for number, partition in ((1, 0), (2, 0), (3, 5))
    )

    async def dying(*entries: Any) -> None:
        await eventually(lambda: not loading_children())  # one that made the tables ends
        loading = owned(loader.load(entries))
        await eventually(lambda: any(spent_s(one) > SPENT_S for one in loading_children()))
        for pid in loading_children():
            os.kill(pid, signal.SIGKILL)
        await loading

    async with loader.lifespan():
        with kept_open(tmp_path / "warehouse.duckdb"):
            with pytest.raises(Transient, match="ended with signal 9"):
                await dying(innocent, deadly)
            # Others stand before it now, and it is known all the same.
            with pytest.raises(LoadFailed, match="twice in a row"):
                await dying(other, deadly)
            with pytest.raises(LoadFailed, match="twice in a row"):
                await dying(deadly)
        await loader.load([innocent, other])
