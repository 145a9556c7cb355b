"""`make bench-consume`: the runtime against FastStream and against a plain loop, in one run.

Each reads the same 100,000 entries from a server of its own in one process. The plain loop is
XREADGROUP COUNT 500, decode, one XACK for each reply: no order, no retries, no leases.
Exit code 1 if a bar is missed.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
import uvloop
from faststream.redis import RedisBroker, StreamSub

from consumers import CommentEvent, Consumer, Entry
from consumers.runtime.consumer_process import run
from gateway.contract import decode_event
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from gateway.settings import RedisSettings, Settings
from tests.benchmarks.end_to_end import waits_s
from tests.integration.runtime.running import comment_event, publish

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
KEY = "b24:events:{0}"


class Counter:
    """Counts to a number, and notes when it got there."""

    def __init__(self, until: int) -> None:
        self.left = until
        self.done = asyncio.Event()

    def count(self, by: int = 1) -> None:
        self.left -= by
        if self.left <= 0:
            self.done.set()


async def plain_loop(url: str) -> float:
    client = connections.reader(url, block_s=1)
    await client.xgroup_create(KEY, "plain", "0")
    started = time.perf_counter()
    left = ENTRIES
    while left:
        reply: Any = await client.xreadgroup("plain", "c", {KEY: ">"}, count=500, block=1000)
        page: Any = reply[KEY.encode()]
        for _entry_id, fields in page:
            decode_event(fields[b"event"])
        await client.xack(KEY, "plain", *(entry_id for entry_id, _ in page))
        left -= len(page)
    took_s = time.perf_counter() - started
    await client.aclose()
    return took_s


async def faststream(url: str, entries: int) -> float:
    """FastStream's stream subscriber; it hands over the entry's fields as decoded text."""
    quiet: dict[str, Any] = {"logger": None}
    broker = RedisBroker(url, **quiet)
    counter = Counter(entries)

    async def handle(body: dict[str, str]) -> None:
        decode_event(body["event"].encode())
        counter.count()

    broker.subscriber(
        stream=StreamSub(KEY, group="faststream", consumer="c", last_id=">", max_records=500)
    )(handle)
    control = connections.control(url)
    await control.xgroup_create(KEY, "faststream", "0")
    await control.aclose()
    started = time.perf_counter()
    await broker.start()
    await counter.done.wait()
    took_s = time.perf_counter() - started
    await broker.stop()
    return took_s


async def runtime(url: str, consumer: Consumer, counter: Counter) -> float:
    settings = Settings(redis=RedisSettings(url=url))
    stop = asyncio.Event()
    started = time.perf_counter()
    running = asyncio.create_task(run(consumer, settings, stop))
    await counter.done.wait()
    took_s = time.perf_counter() - started
    stop.set()
    await running
    return took_s


async def per_event(url: str) -> float:
    counter = Counter(ENTRIES)
    consumer = Consumer(group="per-event", stream="events")

    @consumer.on("bitrix24.crm.timeline.comment.*")
    async def handle(event: CommentEvent) -> None:
        counter.count()

    return await runtime(url, consumer, counter)


async def batches(url: str) -> float:
    counter = Counter(ENTRIES)
    consumer = Consumer(group="batches", stream="events")

    @consumer.on_batch("bitrix24.*", max_events=1000, max_wait_s=0.05)
    async def handle(entries: Sequence[Entry]) -> None:
        counter.count(len(entries))

    return await runtime(url, consumer, counter)


async def pending(url: str, group: str) -> int:
    client = connections.control(url)
    count: int = (await client.xpending(KEY, group))["pending"]
    await client.aclose()
    return count


async def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory))
        server.start()
        try:
            is_fast = await compare(server)
            await empty(server)
            waits = await waits_s(server, Path(directory))
        finally:
            server.stop()
    p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    print(f"from 200 to the handler's start at 1,000/s, {len(waits)} events: p50 {p50:.1f} ms")
    print("ok  " if p99 < 50 else "MISS", f"p99 {p99:.1f} ms (bar 50)")
    return 0 if is_fast and p99 < 50 else 1


async def empty(server: RedisServer) -> None:
    async with connections.control(server.url, timeout_s=10) as client:
        await client.flushall()


async def compare(server: RedisServer) -> bool:
    client = connections.control(server.url, timeout_s=30)
    for first in range(0, ENTRIES, 1000):
        await publish(client, KEY, [comment_event((first + n) % 5000 + 1) for n in range(1000)])
    await client.aclose()
    few = max(ENTRIES // 10, 1)
    plain_rate = ENTRIES / await plain_loop(server.url)
    event_rate = ENTRIES / await per_event(server.url)
    batch_rate = ENTRIES / await batches(server.url)
    faststream_rate = few / await faststream(server.url, few)
    for name, rate in (
        ("plain loop", plain_rate),
        ("runtime, handler of events", event_rate),
        ("runtime, handler of batches", batch_rate),
        ("FastStream", faststream_rate),
    ):
        print(f"{name:30} {rate:10,.0f} events/s {1e6 / rate:8.1f} µs/event")
    bars = {
        f"events: {event_rate / faststream_rate:.1f} times FastStream (bar 8)": (
            event_rate >= 8 * faststream_rate
        ),
        f"events: {event_rate:,.0f}/s (bar 20,000)": event_rate >= 20_000,
        f"batches: {batch_rate / plain_rate:.2f} of the plain loop (bar 0.4)": (
            batch_rate >= 0.4 * plain_rate
        ),
    }
    for bar, is_met in bars.items():
        print("ok  " if is_met else "MISS", bar)
    left = {group: await pending(server.url, group) for group in ("per-event", "batches")}
    print(f"pending afterwards: {left}; {server.binary.name}")
    return all(bars.values()) and not any(left.values())


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
