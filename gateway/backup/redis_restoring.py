"""Puts what was written down back into Redis, key by key. Knows nothing of what keys mean."""

from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio import Redis

from gateway.backup.key_records import (
    EntriesRecord,
    KeyRecord,
    Record,
    StreamRecord,
)
from gateway.backup.redis_capture import key_names
from gateway.errors import OperatorError

__all__ = ["put_back", "remove_all"]

_PAGE: Final = 500
_MOST_COMMANDS: Final = 500
_MOST_BYTES: Final = 4 << 20
_NOBODY: Final = b"restoring"
# A group that is there while the others are made.
_WRITES: Final = {
    "string": ("SET", 1),
    "hash": ("HSET", 2),
    "zset": ("ZADD", 2),
    "set": ("SADD", 1),
    "list": ("RPUSH", 1),
}
# How a key of a type is written, and how many values belong together.


async def remove_all(redis: Redis, prefix: str) -> None:
    """Remove everything under the prefix. Raises one of connections.FAILURES."""
    sending = _Sending(redis)
    for name in await key_names(redis, prefix):
        await sending.add("UNLINK", f"{prefix}:".encode() + name)
    await sending.finish()


async def put_back(redis: Redis, prefix: str, records: Iterable[Record], *, now_ms: int) -> int:
    """Write the keys; how many are there. Those whose time is over by `now_ms` are left out.

    Entries keep their ids, groups their places, pending entries who had them, since when and how
    often. Raises one of connections.FAILURES, OperatorError for a type that is not known here, and
    whatever reading the records raises: then something is there.
    """
    restoring = _Restoring(_Sending(redis), prefix)
    count, stream = 0, None
    for record in records:
        if isinstance(record, EntriesRecord):
            await restoring.add_entries(record)
            continue
        if stream is not None:
            await restoring.place_groups(stream)
        stream = record if isinstance(record, StreamRecord) else None
        if isinstance(record, KeyRecord):
            if record.expires_at_ms is not None and record.expires_at_ms <= now_ms:
                continue
            await restoring.put_key(record)
        count += 1
    if stream is not None:
        await restoring.place_groups(stream)
    await restoring.finish()
    return count


class _Sending:
    """Sends commands about single keys in their order, many at a time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._commands: list[tuple[Any, ...]] = []
        self._bytes = 0

    async def add(self, *command: bytes | str | int) -> None:
        self._commands.append(command)
        self._bytes += sum(len(one) for one in command if not isinstance(one, int))
        if len(self._commands) >= _MOST_COMMANDS or self._bytes >= _MOST_BYTES:
            await self.finish()

    async def finish(self) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in self._commands:
                # Of what XCLAIM answers, redis-py has to be told which form it has.
                options = {"parse_justid": True} if command[0] == "XCLAIM" else {}
                pipeline.execute_command(*command, **options)
            await pipeline.execute()
        self._commands, self._bytes = [], 0


class _Restoring:
    def __init__(self, sending: _Sending, prefix: str) -> None:
        self._send = sending.add
        self.finish = sending.finish
        self._prefix = f"{prefix}:".encode()

    async def put_key(self, record: KeyRecord) -> None:
        key, values = self._prefix + record.name, record.values
        if record.kind not in _WRITES:
            raise OperatorError(
                f"{record.name.decode(errors='replace')}: nothing is known of keys of the type "
                f"{record.kind}: use the version that took the backup, or a later one"
            )
        command, width = _WRITES[record.kind]
        for begin in range(0, len(values), width * _PAGE):
            page = values[begin : begin + width * _PAGE]
            if command == "ZADD":
                page = [one for pair in zip(page[1::2], page[::2], strict=True) for one in pair]
            await self._send(command, key, *page)
        if record.expires_at_ms is not None:
            await self._send("PEXPIREAT", key, record.expires_at_ms)

    async def add_entries(self, record: EntriesRecord) -> None:
        key = self._prefix + record.name
        for entry_id, values in record.entries:
            await self._send("XADD", key, entry_id, *values)

    async def place_groups(self, stream: StreamRecord) -> None:
        """Give a stream, whose entries are there, its counters and groups."""
        key = self._prefix + stream.name
        await self._send("XGROUP CREATE", key, _NOBODY, "0-0", "MKSTREAM")  # it may be empty
        await self._send(
            "XSETID", key, stream.last_id,
            "ENTRIESADDED", stream.entries_added, "MAXDELETEDID", stream.max_deleted_id,
        )  # fmt: skip
        for group in stream.groups:
            read = () if group.entries_read is None else ("ENTRIESREAD", group.entries_read)
            await self._send("XGROUP CREATE", key, group.name, group.last_delivered_id, *read)
            for one in group.pending:  # one whose entry is gone by now stays away
                await self._send(
                    "XCLAIM", key, group.name, one.consumer, 0, one.id,
                    "TIME", one.delivered_at_ms, "RETRYCOUNT", one.deliveries, "FORCE", "JUSTID",
                )  # fmt: skip
        await self._send("XGROUP DESTROY", key, _NOBODY)
