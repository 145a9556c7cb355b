"""A consumer's process: opens its resources, runs its partitions, and stops when told to."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import structlog

from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import Partition
from consumers.runtime.partition import PartitionReader
from gateway import connections
from gateway.settings import Settings

__all__ = ["run"]

log = structlog.get_logger()

_BLOCK_S = 2.0


async def run(consumer: Consumer, settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT; entries in hand are finished and acknowledged first."""
    stop = asyncio.Event()
    _stop_on_signals(stop)
    streams = settings.redis.streams
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(consumer.lifespan())
        control = connections.control(settings.redis.url)
        stack.push_async_callback(control.aclose)
        async with asyncio.TaskGroup() as tasks:
            for number in range(streams.partitions):
                reader = connections.reader(settings.redis.url, block_s=_BLOCK_S)
                stack.push_async_callback(reader.aclose)
                partition = PartitionReader(
                    consumer,
                    Partition(number, epoch=0),
                    streams.key(consumer.stream, number),
                    reader=reader,
                    control=control,
                    block_s=_BLOCK_S,
                    stop=stop,
                )
                tasks.create_task(partition.run())
            log.info("consumer started", group=consumer.group, stream=consumer.stream)
    log.info("consumer stopped", group=consumer.group)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first signal asks to stop, the second ends the process where it stands."""

    def told() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
