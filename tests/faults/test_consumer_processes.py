"""Consumer processes that are killed, frozen or stopped, with every row of their sink counted."""

import asyncio
import signal
from contextlib import ExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import Consumer, Entry
from gateway.contract import encode_event
from gateway.redis_access import connections
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.consumer_process import ConsumerProcess, service
from tests.support.eventually import eventually
from tests.support.stage import COUNTED, Stage

KEY = "b24:events:{0}"
LEASE = "b24:lease:sink:{0}"


class Scene:
    """A server with a client, a sink, and processes of the service that stores into it."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self.server = stage.server()
        self.redis = connections.control(self.server.url)
        self.sink = Sink(stage.directory)
        self._directory = stage.directory
        self._stack = stack

    def start(self, **environment: str) -> ConsumerProcess:
        settings = {**self.sink.environment, "GATEWAY_CONSUMERS_LEASE_S": "2", **environment}
        return self._stack.enter_context(
            service(self.server.url, self._directory, name=SERVICE, **settings)
        )

    async def is_settled(self) -> bool:
        return await settled(self.redis, KEY, GROUP)

    async def pending_count(self) -> int:
        return int((await self.redis.xpending(KEY, GROUP))["pending"])

    async def is_idle(self, *, partitions: int) -> bool:
        """Whether a process owns the partitions and waits for entries of all of them."""
        info = await self.redis.info("clients")
        return int(info["blocked_clients"]) == partitions


@pytest.fixture
async def scene(stage: Stage) -> Any:
    with ExitStack() as stack:
        scene = Scene(stage, stack)
        yield scene
    await scene.redis.aclose()


@pytest.mark.short
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_is_killed_around_its_commit(
    stage: Stage, scene: Scene, moment: str
) -> None:
    """After it, but before the acknowledgement, the event comes again and changes nothing."""
    events = [comment_event(number % 10 + 1) for number in range(60)]
    await publish(scene.redis, KEY, events)

    dying = scene.start(SINK_DIES=f"{moment} 7", SINK_TAKES_S="0.005")
    await eventually(lambda: not dying.is_running)
    stored = [row.event_id for row in scene.sink.effects() if row.comment_id == 7]
    left_pending = await scene.pending_count()
    scene.start()
    await eventually(scene.is_settled)

    assert dying.exit_code == -signal.SIGKILL
    assert stored == ([events[6].id] if moment == "after" else [])
    assert left_pending > 0
    scene.sink.assert_each_once(events)
    assert scene.sink.outcomes()["repeated"] >= len(stored)
    stage.remark = COUNTED


@pytest.mark.short
async def test_a_frozen_owner_wakes_up_after_another_process_took_over(
    stage: Stage, scene: Scene
) -> None:
    """What it had under way it tries to store late, under its old epoch: the sink refuses."""
    events = [comment_event(number % 10 + 1) for number in range(200)]
    frozen, other = [scene.start(SINK_TAKES_S="0.02", SINK_FREEZES_AT="30") for _ in range(2)]
    await publish(scene.redis, KEY, events)
    await eventually(lambda: frozen.is_frozen or other.is_frozen)
    if other.is_frozen:
        frozen, other = other, frozen
    epoch = max(row.epoch for row in scene.sink.effects() if row.pid == frozen.pid)
    await eventually(lambda: any(row.epoch > epoch for row in scene.sink.effects()))
    frozen.thaw()
    await eventually(scene.is_settled)
    await eventually(lambda: scene.sink.outcomes()["refused"] > 0)

    scene.sink.assert_each_once(events)
    epochs = [row.epoch for row in scene.sink.effects()]
    assert epochs == sorted(epochs)
    owners = {(row.epoch, row.pid) for row in scene.sink.effects()}
    assert {pid for _epoch, pid in owners} == {frozen.pid, other.pid}
    assert len(owners) == len(set(epochs))  # one for each epoch
    stage.remark = COUNTED


@pytest.mark.short
async def test_sigterm_while_a_process_waits_for_entries(stage: Stage, scene: Scene) -> None:
    """Sooner than its blocking reads end by themselves: with 64 partitions they take 30 s."""
    process = scene.start(GATEWAY_REDIS_PARTITIONS="64", GATEWAY_CONSUMERS_LEASE_S="60")
    await eventually(lambda: scene.is_idle(partitions=64))

    assert await process.stop(timeout_s=10) == 0
    assert await scene.redis.hget(LEASE, "owner") is None
    stage.remark = COUNTED


@pytest.mark.short
async def test_sigterm_in_the_middle_of_the_work(stage: Stage, scene: Scene) -> None:
    events = [comment_event(number + 1) for number in range(300)]
    await publish(scene.redis, KEY, events)
    process = scene.start(SINK_TAKES_S="0.05")
    await eventually(lambda: len(scene.sink.effects()) > 20)
    assert await process.stop() == 0
    stored = len(scene.sink.effects())
    assert stored < 300
    # Acknowledged is what was stored, and nothing else.
    (group,) = await scene.redis.xinfo_groups(KEY)
    assert int(group["entries-read"]) - await scene.pending_count() == stored
    assert await scene.redis.hget(LEASE, "owner") is None
    scene.start()
    await eventually(scene.is_settled)
    scene.sink.assert_each_once(events)
    assert scene.sink.outcomes() == {"stored": 300}
    stage.remark = COUNTED


@pytest.mark.short
async def test_the_second_sigterm_ends_a_process_at_once(stage: Stage, scene: Scene) -> None:
    await publish(scene.redis, KEY, [comment_event(1)])
    process = scene.start(SINK_TAKES_S="60")

    async def is_taken() -> bool:
        return bool(await scene.redis.xinfo_groups(KEY)) and await scene.pending_count() == 1

    await eventually(is_taken)
    process.send(signal.SIGTERM)
    with pytest.raises(AssertionError):
        await eventually(lambda: not process.is_running, timeout_s=0.5)

    assert await process.stop() == 1
    assert (scene.sink.effects(), await scene.pending_count()) == ([], 1)
    stage.remark = COUNTED


async def test_one_stranded_entry_is_found_behind_many_that_are_in_hand(stage: Stage) -> None:
    """More than a page of pending entries is in the hands of handlers that wait."""
    server = stage.server()
    released = asyncio.Event()
    seen: list[str] = []
    app = Consumer(group=GROUP, stream="events", concurrency=700)

    @app.on("*")
    async def handle(event: object, entry: Entry) -> None:
        if entry.event.subject != "comment/601":
            await released.wait()
        seen.append(entry.event.subject)

    async with connections.control(server.url) as redis:
        await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
        await publish(redis, KEY, [comment_event(number + 1) for number in range(600)])
        with capture_logs() as logs:
            async with running(app, server.url):
                await eventually(lambda: in_hand(redis, 600))
                await strand(redis, 601)
                await eventually(lambda: seen == ["comment/601"], timeout_s=15)
                released.set()
                await eventually(lambda: settled(redis, KEY, GROUP))

    assert not [line for line in logs if line["log_level"] == "error"]  # none is told as lost
    assert len(seen) == len(set(seen)) == 601
    stage.remark = COUNTED


async def in_hand(redis: Redis, count: int) -> bool:
    return int((await redis.xpending(KEY, GROUP))["pending"]) == count


async def strand(redis: Redis, comment_id: int) -> None:
    """Have an entry delivered to the group's consumer without its process ever seeing it."""
    deliver = redis.register_script(
        "redis.call('XADD', KEYS[1], '*', 'event', ARGV[2]); return redis.call("
        "'XREADGROUP', 'GROUP', ARGV[1], 'owner', 'COUNT', 1, 'STREAMS', KEYS[1], '>')"
    )
    assert await deliver(keys=[KEY], args=[GROUP, encode_event(comment_event(comment_id))])
