"""Reads a stream to its end in one of several ways, in a process of its own.

`python consume_contenders.py WAY URL GROUP COUNT` prints the seconds of CPU that it took, and those
on the clock, from the first command to the end. It needs nothing of the tests, so that it runs on
the packages of any checkout that `PYTHONPATH` names. Redis is another process, whose time is not in
it.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
import uvloop

from consumers import CommentEvent, Consumer, Entry
from consumers.runtime.consumer_process import run
from gateway.contract import decode_event
from gateway.redis_access import connections
from gateway.settings import RedisSettings, Settings

__all__ = ["KEY"]

KEY: Final = "b24:events:{0}"


class Countdown:
    """Counts to a number, and notes when it got there."""

    def __init__(self, until: int) -> None:
        self.left = until
        self.done = asyncio.Event()

    def count(self, by: int = 1) -> None:
        self.left -= by
        if self.left <= 0:
            self.done.set()


async def plain_loop(url: str, group: str, count: int) -> None:
    """XREADGROUP COUNT 500, decode, one XACK for each reply: no order, no retries, no leases."""
    client = connections.reader(url, block_s=1)
    await client.xgroup_create(KEY, group, "0")
    left = count
    while left > 0:
        reply: Any = await client.xreadgroup(group, "c", {KEY: ">"}, count=500, block=1000)
        page: Any = reply[KEY.encode()]
        for _entry_id, fields in page:
            decode_event(fields[b"event"])
        await client.xack(KEY, group, *(entry_id for entry_id, _ in page))
        left -= len(page)
    await client.aclose()


async def events(url: str, group: str, count: int) -> None:
    """The runtime, with a handler that is called for each event."""
    countdown = Countdown(count)
    consumer = Consumer(group=group, stream="events")

    @consumer.on("bitrix24.crm.timeline.comment.*")
    async def handle(event: CommentEvent) -> None:
        countdown.count()

    await _run(consumer, url, countdown)


async def batches(url: str, group: str, count: int) -> None:
    """The runtime, with a handler that is called for a thousand events."""
    countdown = Countdown(count)
    consumer = Consumer(group=group, stream="events")

    @consumer.on_batch("bitrix24.*", max_events=1000, max_wait_s=0.05)
    async def handle(entries: Sequence[Entry]) -> None:
        countdown.count(len(entries))

    await _run(consumer, url, countdown)


async def _run(consumer: Consumer, url: str, countdown: Countdown) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run(consumer, Settings(redis=RedisSettings(url=url)), stop))
    await countdown.done.wait()
    stop.set()
    await running


async def faststream(url: str, group: str, count: int) -> None:
    """FastStream's stream subscriber; it hands over the entry's fields as decoded text."""
    from faststream.redis import RedisBroker, StreamSub

    quiet: dict[str, Any] = {"logger": None}
    broker = RedisBroker(url, **quiet)
    countdown = Countdown(count)

    async def handle(body: dict[str, str]) -> None:
        decode_event(body["event"].encode())
        countdown.count()

    broker.subscriber(
        stream=StreamSub(KEY, group=group, consumer="c", last_id=">", max_records=500)
    )(handle)
    control = connections.control(url)
    await control.xgroup_create(KEY, group, "0")
    await control.aclose()
    await broker.start()
    await countdown.done.wait()
    await broker.stop()


WAYS: Final[dict[str, Callable[[str, str, int], Awaitable[None]]]] = {
    "plain": plain_loop,
    "events": events,
    "batches": batches,
    "faststream": faststream,
}


async def main(way: str, url: str, group: str, count: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cpu_s, began_s = time.process_time(), time.perf_counter()
    await WAYS[way](url, group, count)
    print(time.process_time() - cpu_s, time.perf_counter() - began_s)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
