"""What happens to consumers and to Redis under them, with every event accounted for.

Effects are lines of a file, written when a handler ends. An event without an effect is lost; one
with two is handled twice, which is allowed only where a process ended between effect and
acknowledgement, or was frozen while it held entries.
"""

import asyncio
from collections import Counter, defaultdict
from contextlib import ExitStack
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer
from gateway.contract import EntryId, EventSubject, Streams
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.consumer_process import ConsumerProcess, service
from tests.support.eventually import eventually
from tests.support.stage import COUNTED, Stage

GROUP = "search-index"
KEY = "b24:events:{0}"
STREAMS = Streams(partitions=6)


def handled(effects: list[list[str]]) -> Counter[str]:
    return Counter(effect[0] for effect in effects)


def assert_each_comment_in_order(effects: list[list[str]]) -> None:
    """By first effects: a repetition after a takeover may come late."""
    first: dict[str, dict[str, None]] = defaultdict(dict)
    for _event_id, comment_id, entry_id, *_rest in effects:
        first[comment_id].setdefault(entry_id)
    for entry_ids in first.values():
        assert all(EntryId.of(a) < EntryId.of(b) for a, b in pairwise(entry_ids))


async def is_settled(redis: Redis) -> bool:
    return await settled(redis, KEY, GROUP)


@pytest.mark.short
async def test_redis_is_killed_under_a_consumer(stage: Stage) -> None:
    server = stage.server()
    redis = connections.control(server.url)
    events = [comment_event(number % 20 + 1) for number in range(600)]
    await publish(redis, KEY, events[:300])
    seen: Counter[str] = Counter()
    app = Consumer(group=GROUP, stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        await asyncio.sleep(0.005)
        seen[event.id] += 1

    async with running(app, server.url):
        await eventually(lambda: len(seen) > 50)
        server.kill()
        server.start()
        await publish(redis, KEY, events[300:])
        await eventually(lambda: len(seen) == 600, timeout_s=30)
        await eventually(lambda: is_settled(redis))
    await redis.aclose()

    assert set(seen.values()) == {1}  # the process lived: nothing is even handled twice
    stage.remark = COUNTED


@pytest.mark.short
async def test_replies_of_reads_are_lost(stage: Stage) -> None:
    server = stage.server()
    redis = connections.control(server.url)
    seen: Counter[str] = Counter()
    app = Consumer(group=GROUP, stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        seen[event.id] += 1

    async with LossyProxy(on_loopback(server.port)) as proxy, running(app, proxy.url):
        for round_ in range(1, 6):
            proxy.lose_replies(2)
            await publish(redis, KEY, [comment_event(number + 1) for number in range(20)])
            await eventually(lambda expected=20 * round_: len(seen) == expected)  # type: ignore[misc]
        await eventually(lambda: is_settled(redis))
        lost = proxy.lost
    await redis.aclose()

    assert lost >= 5
    assert set(seen.values()) == {1}
    stage.remark = COUNTED


@pytest.mark.short
async def test_what_every_handler_needs_is_away(stage: Stage) -> None:
    """No attempt is burnt, no more is taken in hand than fits, and then all comes in order."""
    server = stage.server()
    redis = connections.control(server.url)
    events = [comment_event(number % 50 + 1) for number in range(3000)]
    rows: dict[int, list[str]] = defaultdict(list)
    is_away = True
    calls = 0
    app = Consumer(group=GROUP, stream="events", max_attempts=1, transient=(OSError,))

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        nonlocal calls
        calls += 1
        if is_away:
            raise ConnectionRefusedError
        rows[event.data.comment_id].append(event.id)

    await publish(redis, KEY, events)
    async with running(app, server.url):
        await asyncio.sleep(stage.span(short=2, full=20))
        calls_while_away = calls
        taken = (await redis.xpending(KEY, GROUP))["pending"]
        is_away = False
        await eventually(lambda: is_settled(redis), timeout_s=90)
        dead = await redis.xlen("b24:dead:search-index:{0}")
    await redis.aclose()

    assert 5 <= calls_while_away <= 5 + 64 + 20  # then it pauses, and probes now and then
    assert 0 < taken <= 1000
    assert dead == 0
    assert rows == {
        number: [event.id for event in events if event.data.comment_id == number]
        for number in range(1, 51)
    }
    stage.remark = COUNTED


async def test_an_entry_that_ends_processes_is_found_and_buried(stage: Stage) -> None:
    server = stage.server()
    redis = connections.control(server.url)
    events = [comment_event(number + 1) for number in range(30)]
    await publish(redis, KEY, events)
    starts = 0
    while not await redis.xlen("b24:dead:search-index:{0}") and starts < 9:
        starts += 1
        with service(
            server.url,
            stage.directory,
            SERVICE_DIES_OF="13",
            SERVICE_TAKES_S="0.001",
            GATEWAY_CONSUMERS_LEASE_S="2",
        ) as process:

            async def over(process: ConsumerProcess = process) -> bool:
                return not process.is_running or await is_settled(redis)

            await eventually(over)
            effects = process.effects()
    letters = await redis.xrange("b24:dead:search-index:{0}")
    await redis.aclose()

    assert letters is not None
    assert [fields[b"reason"] for _id, fields in letters] == [b"crashed"]  # type: ignore[index]
    assert handled(effects).keys() == {e.id for e in events if e.data.comment_id != 13}
    assert starts <= 6
    stage.remark = COUNTED


@pytest.mark.short
async def test_processes_come_and_go_under_load(stage: Stage) -> None:
    server = stage.server()
    redis = connections.control(server.url)
    events: list[CommentEvent] = []
    stopped = asyncio.Event()

    async def load() -> None:
        while not stopped.is_set():
            some = [comment_event(len(events) % 60 + 1 + n) for n in range(10)]
            events.extend(some)
            for event in some:
                data = event.data
                key = STREAMS.key(
                    "events",
                    STREAMS.partition_of(data.member_id, EventSubject.of_comment(data.comment_id)),
                )
                await publish(redis, key, [event])
            await asyncio.sleep(0.02)

    def start(stack: ExitStack) -> ConsumerProcess:
        return stack.enter_context(
            service(
                server.url,
                stage.directory,
                GATEWAY_REDIS_PARTITIONS="6",
                GATEWAY_CONSUMERS_LEASE_S="2",
            )
        )

    async def is_done() -> bool:
        return all([await settled(redis, key, GROUP) for key in STREAMS.keys("events")])

    with ExitStack() as stack:
        services = [start(stack) for _ in range(2)]
        loading = asyncio.create_task(load())
        await eventually(
            lambda: len({effect[4] for effect in services[0].effects()}) == 2, timeout_s=60
        )
        services += [start(stack) for _ in range(3)]
        await eventually(
            lambda: len({effect[4] for effect in services[0].effects()}) == 5, timeout_s=60
        )
        services[0].kill()
        assert await asyncio.gather(*(one.stop() for one in services[1:4])) == [0, 0, 0]
        await asyncio.sleep(stage.span(short=0.5, full=10))
        stopped.set()
        await loading
        await eventually(is_done, timeout_s=60)
        effects = services[0].effects()
    consumers = [len(await redis.xinfo_consumers(key, GROUP)) for key in STREAMS.keys("events")]
    await redis.aclose()

    assert handled(effects).keys() == {event.id for event in events}
    assert_each_comment_in_order(effects)
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _event_id, comment_id, _entry_id, epoch, pid in effects:
        partition = STREAMS.partition_of("portal", EventSubject.of_comment(int(comment_id)))
        owners[str(partition), epoch].add(pid)
    assert all(len(pids) == 1 for pids in owners.values())
    assert max(consumers) == 1  # no name of a consumer leaks
    stage.remark = COUNTED
