"""The number of partitions changes under receivers, a load and consumers."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import json

from gateway.contract import Streams
from gateway.drill.delivery_load import LoadDelivery
from gateway.ops import partition_change as steps
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access import connections
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.program import surroundings
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.stage import SAFE, Stage, entries_on
from tests.support.starting import finished

_SURE = ("--yes", "--json", "--within", "60")
_RATE = 60
_CHANGES = [(1, (4,)), (4, (2,)), (3, (5, 2))]


async def _repartition(url: str, *arguments: str) -> dict[str, Any]:
    done = await finished(
        [sys.executable, "-m", "gateway", "repartition", *arguments, *_SURE],
        environment=surroundings() | {"GATEWAY_REDIS_URL": url},
        timeout_s=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.decode(done.stdout)
    return found


def _in_order_once(sink: Sink, deliveries: Sequence[LoadDelivery], stored: Sequence[str]) -> None:
    """Each stored event had its effect once, those of a comment in the order of acceptance."""
    rows = sink.effects()
    assert sorted(row.event_id for row in rows) == sorted(stored)
    handled: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        handled[row.comment_id].append(row.event_id)
    sent: defaultdict[int, list[str]] = defaultdict(list)
    for one in deliveries:
        if one.is_accepted:
            sent[one.comment_id].append(one.event_id)
    assert handled == sent


@pytest.mark.short
@pytest.mark.parametrize(("before", "changes"), _CHANGES, ids=str)
@pytest.mark.parametrize("kind", ["standalone", "cluster"])
async def test_the_number_of_partitions_changes(
    stage: Stage, kind: str, before: int, changes: tuple[int, ...]
) -> None:
    if kind == "standalone":
        await _change_under_load(stage, stage.server().url, before, changes)
        return
    async with redis_cluster(stage.binary, stage.directory, options=SAFE) as nodes:
        await _change_under_load(stage, url_of(nodes), before, changes)


async def _change_under_load(stage: Stage, url: str, before: int, changes: Sequence[int]) -> None:
    sink, number = Sink(stage.directory), {"REDIS_PARTITIONS": str(before)}
    receivers = [await stage.receiver(url, number) for _ in range(2)]
    environment = {f"GATEWAY_{name}": value for name, value in number.items()}
    for _ in range(2):
        stage.worker(SERVICE, url, sink.environment | environment)
    async with stage.load(*receivers, rate=_RATE) as load:
        await load.until_answered_from("stream", timeout_s=60)
        for count in changes:
            told = await _repartition(url, str(count))
            assert told["partitions"] == count
            assert not told["late"]
            await load.until_answered_from("stream", timeout_s=60)
    await stage.until_drained()
    await stage.until_consumed(url, GROUP)
    stored = [entry.event_id for stream in await entries_on(url) for entry in stream]

    account = await stage.settle(load.deliveries, url)

    assert account.refused == account.unanswered == 0
    _in_order_once(sink, load.deliveries, stored)
    async with connections.control(url) as client:
        streams = Streams()
        await adopt_record(client, streams)
        assert streams.counts == (before, *changes)
        used = [await client.xlen(streams.key("events", one)) for one in streams.in_force]
    assert all(used)


@pytest.mark.short
@pytest.mark.parametrize("at", range(5))
async def test_a_change_that_was_killed_goes_on(stage: Stage, at: int) -> None:
    await _killed(stage, at, "4")


@pytest.mark.short
@pytest.mark.parametrize("at", range(5))
async def test_a_change_that_was_killed_goes_back(stage: Stage, at: int) -> None:
    await _killed(stage, at, "--abort")


async def _killed(stage: Stage, at: int, then: str) -> None:
    """Have a change end after so many of its steps, as by a kill; then go on, or back."""
    server, sink = stage.server(), Sink(stage.directory)
    receiver = await stage.receiver(server.url)
    stage.worker(SERVICE, server.url, sink.environment)
    async with stage.load(receiver, rate=_RATE) as load:
        await load.until_answered_from("stream", timeout_s=60)
        async with connections.control(server.url) as client:
            streams = Streams()
            await adopt_record(client, streams)
            begun = [
                steps.announce(client, streams, 4),
                steps.make_groups(client, streams, 4),
                steps.seal(client, streams, 0),
                steps.seal(client, streams, 1),
            ]
            for number, step in enumerate(begun):
                if number < at:
                    await step
                else:
                    step.close()
        if at > 2:
            await load.until_answered_from("spool", timeout_s=10)
        if then == "--abort":
            done = await finished(
                [sys.executable, "-m", "gateway", "repartition", then, "--yes"],
                environment=surroundings() | {"GATEWAY_REDIS_URL": server.url},
            )
            assert done.returncode == (0 if at else 1), done.stderr
        else:
            await _repartition(server.url, then)
        await load.until_answered_from("stream", timeout_s=60)
    await stage.until_drained()
    await stage.until_consumed(server.url, GROUP)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]
    account = await stage.settle(load.deliveries, server)
    assert account.refused == account.unanswered == 0
    _in_order_once(sink, load.deliveries, stored)
