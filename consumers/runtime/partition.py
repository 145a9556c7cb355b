"""Reads one partition of a stream for a group, calls the handlers, acknowledges.

Entries that were delivered and not acknowledged come first, at the start and after every error of
the connection: a reply that was lost on its way has left its entries pending.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumers.runtime.consumer import BatchHandler, Consumer, EventHandler
from consumers.runtime.entry import Entry, Partition
from gateway.connections import AWAY
from gateway.contract import EVENT_FIELD, InvalidEvent, decode_event

__all__ = ["PartitionReader"]

log = structlog.get_logger()

_OWNER: Final = "owner"
"""The name of a partition's one consumer: it is the same for every process, so none leaks."""

_COUNT: Final = 100

_Fields = dict[bytes, bytes]


class PartitionReader:
    """One partition in the hands of this process, until `stop` is set."""

    def __init__(
        self,
        consumer: Consumer,
        partition: Partition,
        key: str,
        *,
        reader: Redis,
        control: Redis,
        block_s: float,
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._partition = partition
        self._key = key
        self._reader = reader
        self._control = control
        self._block_ms = int(block_s * 1000)
        self._stop = stop

    async def run(self) -> None:
        """Read and handle; whatever fails is tried again after a growing pause."""
        pause_s = 0.1
        async with self._consumer.partition_lifespan(self._partition):
            while not self._stop.is_set():
                try:
                    await self._create_group()
                    await self._finish_pending()
                    pause_s = 0.1
                    while not self._stop.is_set():
                        await self._handle(await self._read(">", block_ms=self._block_ms))
                except (*AWAY, ResponseError) as error:
                    log.warning(
                        "reading failed", stream=self._key, error=str(error), retry_in_s=pause_s
                    )
                    await self._sleep(pause_s)
                    pause_s = min(2 * pause_s, 5.0)

    async def _create_group(self) -> None:
        start = "0" if self._consumer.start == "beginning" else "$"
        try:
            await self._control.xgroup_create(self._key, self._consumer.group, start, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _finish_pending(self) -> None:
        after = "0"
        while not self._stop.is_set() and (page := await self._read(after)):
            after = page[-1][0].decode()
            await self._handle(page)

    async def _read(
        self, after: str, *, block_ms: int | None = None
    ) -> Sequence[tuple[bytes, _Fields]]:
        batches = self._consumer.batch_handler
        reply: Any = await self._reader.xreadgroup(
            self._consumer.group,
            _OWNER,
            {self._key: after},
            count=batches.max_events if batches else _COUNT,
            block=block_ms,
        )
        page: Sequence[tuple[bytes, _Fields]] = reply.get(self._key.encode(), ())
        return page

    async def _handle(self, page: Sequence[tuple[bytes, _Fields]]) -> None:
        """Handle a page in its order; what is left when the process has to stop stays pending."""
        wanted: list[tuple[EventHandler | BatchHandler, Entry]] = []
        done: list[bytes] = []
        for entry_id, fields in page:
            entry = self._decode(entry_id, fields)
            handler = self._consumer.handler_of(entry.event.type) if entry else None
            if entry and handler:
                wanted.append((handler, entry))
            else:
                done.append(entry_id)
        batches = self._consumer.batch_handler
        if batches is not None and wanted:
            entries = [entry for _, entry in wanted]
            if await self._attempt(batches, entries):
                done += [entry.id.encode() for entry in entries]
        else:
            for handler, entry in wanted:
                if not await self._attempt(handler, [entry]):
                    break
                done.append(entry.id.encode())
        if done:
            await self._control.xack(self._key, self._consumer.group, *done)

    async def _attempt(self, handler: EventHandler | BatchHandler, entries: list[Entry]) -> bool:
        """Call the handler until it succeeds; False if the process has to stop first."""
        pause_s = 0.5
        while True:
            try:
                if isinstance(handler, BatchHandler):
                    await handler.call(entries)
                else:
                    await handler.call(entries[0])
            except Exception as error:  # noqa: BLE001 - a handler may raise anything
                log.warning(
                    "attempt failed",
                    event_id=entries[0].event.id,
                    entries=len(entries),
                    error=f"{type(error).__name__}: {error}",
                    retry_in_s=pause_s,
                )
                if await self._sleep(pause_s):
                    return False
                pause_s = min(2 * pause_s, 30.0)
            else:
                return True

    def _decode(self, entry_id: bytes, fields: _Fields) -> Entry | None:
        raw = fields.get(EVENT_FIELD)
        if raw is None:  # trimmed or deleted while it was pending
            log.error("payload lost", stream=self._key, entry_id=entry_id.decode())
            return None
        try:
            event = decode_event(raw)
        except InvalidEvent as error:
            log.error("undecodable", stream=self._key, entry_id=entry_id.decode(), error=str(error))
            return None
        return Entry(
            stream=self._consumer.stream,
            partition=self._partition.number,
            epoch=self._partition.epoch,
            id=entry_id.decode(),
            event=event,
            raw=raw,
        )

    async def _sleep(self, seconds: float) -> bool:
        """Wait, or less if told to stop; true if told to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True
