"""Records how the last attempt with an entry has failed, where operators look: in Redis.

For one partition and one tenure. What never fails costs nothing. Failures are written together, a
second after the last ones: a storm of them is a write for each second. What a process has not
written yet when it is killed is lost with it, and no more: the next owner takes over the rest.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from redis.asyncio import Redis

from consumers.runtime.entry import HeldEntry, Source
from consumers.runtime.partition_keys import PartitionKeys
from gateway.background import Background
from gateway.contract import FailedAttempt, timestamps
from gateway.redis_access import lua
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["FailureRecords"]

_PAUSE_S: Final = 1.0
_KEPT_S: Final = 7 * 86_400
# Entries that are tried again are recorded again; the rest is of groups that nobody runs any more.
_MAX_RECORDS: Final = 1000
_MAX_OF_A_CALL: Final = 200
# Entries that failed in one call have one error. A record of each of ten thousand would push out
# those of all others, so that of each call its oldest entries are recorded.
_SOME: Final = 200
# Records of one call of the script: a few microseconds of the server for each.
_MAX_ERROR: Final = 500


class FailureRecords:
    """Keeps the last failed attempt of up to a thousand entries of a partition; the oldest go.

    Of an entry that another process has tried before, attempts are counted on.
    """

    def __init__(self, client: Redis, keys: PartitionKeys, *, epoch: int) -> None:
        self._keys = keys
        self._epoch = epoch
        self._note = lua.script(client, "consumers.runtime", "lua/note_failures.lua")
        self._inherit = lua.script(client, "consumers.runtime", "lua/inherit_failures.lua")
        self._is_inherited = False
        # Attempts of processes before this one, by field, in the order of the last failures.
        self._known: dict[str, int] = {}
        self._inherited: dict[str, FailedAttempt] = {}
        self._unwritten: dict[str, tuple[Source, bytes, FailedAttempt]] = {}
        self._sent: set[str] = set()
        self._pushed_out: list[str] = []
        self._changed = asyncio.Event()
        self._writing: Background | None = None
        self._is_closed = False

    async def inherit(self) -> None:
        """Take over what the last owner has recorded, once; raises what the client raises."""
        if self._is_inherited:
            return
        keys = self._keys
        found: Any = await self._inherit(
            keys=[keys.lease, keys.failures, keys.shared.key, keys.redeliveries.key],
            args=[self._epoch, keys.group, keys.shared.name, keys.redeliveries.name, _KEPT_S],
        )
        self._is_inherited = True
        records = (
            [
                (field.decode(), record)
                for field, value in zip(found[::2], found[1::2], strict=True)
                if (record := FailedAttempt.of(value)) is not None
            ]
            if found
            else []
        )
        for field, record in sorted(records, key=lambda one: one[1].at):
            self._known[field] = record.attempts
            self._inherited[field] = record
            self._sent.add(field)

    def continue_with(self, held: HeldEntry) -> None:
        """Let an entry go on where processes before this one were with it, if they have said so."""
        record = self._inherited.pop(_field(held.source, held.id), None)
        if record is not None and record.since:
            held.failures = record.failures
            held.failing_since = datetime.fromisoformat(record.since).timestamp()

    def failed(
        self, some: Sequence[HeldEntry], *, error: str, is_transient: bool, handler: str
    ) -> None:
        """Record that an attempt with these entries has failed, as the one that they count now."""
        at = timestamps.milliseconds_of(datetime.now(UTC))
        for held in some[:_MAX_OF_A_CALL]:
            event = held.entry.event
            field = _field(held.source, held.id)
            before = self._known.pop(field, 0)
            self._known[field] = before
            record = FailedAttempt(
                at=at,
                attempts=before + held.entry.attempt,
                error=error[:_MAX_ERROR],
                event_id=event.id,
                portal=event.source.rpartition(":")[2],
                subject=event.subject,
                handler=handler,
                is_transient=is_transient,
                failures=held.failures + (not is_transient),
                since=_since(held, is_transient=is_transient),
            )
            self._unwritten[field] = (held.source, held.id, record)
        for field in list(islice(self._known, max(0, len(self._known) - _MAX_RECORDS))):
            is_sent = field in self._sent
            self.forget((field,))
            if is_sent:
                self._pushed_out.append(field)
        self._changed.set()
        if self._writing is None and not self._is_closed:
            # Begun anew: what it cannot write now is recorded again with the next attempt.
            self._writing = Background(
                self._write, name="recording failed attempts", begins_anew=True
            )
            self._writing.start()

    def fields_of(self, some: Iterable[tuple[Source, bytes]]) -> list[str]:
        """The records of these entries, to be removed in the step that settles them."""
        if not self._known:
            return []
        fields = (_field(source, entry_id) for source, entry_id in some)
        return [field for field in fields if field in self._known]

    def forget(self, fields: Iterable[str]) -> None:
        """These are removed."""
        for field in fields:
            self._known.pop(field, None)
            self._unwritten.pop(field, None)
            self._sent.discard(field)

    async def close(self, timeout_s: float) -> None:
        """Write what is left, if the server takes it in time. Raises nothing, may be repeated."""
        self._is_closed = True
        if self._writing is not None:
            await self._writing.close()
        with suppress(TimeoutError, *AWAY_OR_REFUSING):
            async with asyncio.timeout(timeout_s):
                while self._unwritten:
                    await self._write_some()

    async def _write(self) -> None:
        while True:
            await self._changed.wait()
            try:
                while self._unwritten or self._pushed_out:
                    await self._write_some()
                self._changed.clear()
            except AWAY_OR_REFUSING:  # whoever reads and acknowledges says so
                pass
            await asyncio.sleep(_PAUSE_S)

    async def _write_some(self) -> None:
        """Write the oldest that are left; they stay until the server has them."""
        some = list(islice(self._unwritten.items(), _SOME))
        gone = self._pushed_out[:_SOME]
        keys = self._keys
        args: list[Any] = [self._epoch, keys.group, _KEPT_S, len(gone), *gone]
        for field, (source, entry_id, record) in some:
            args += (int(source.is_redelivery), entry_id, field, record.encode())
        self._sent.update(field for field, _ in some)
        is_ours = await self._note(
            keys=[keys.lease, keys.failures, keys.shared.key, keys.redeliveries.key], args=args
        )
        if is_ours != 1:  # another process owns the partition, and records what it sees
            self._unwritten.clear()
            self._pushed_out.clear()
            return
        del self._pushed_out[: len(gone)]
        for field, written in some:
            if self._unwritten.get(field) is written:
                del self._unwritten[field]


def _since(held: HeldEntry, *, is_transient: bool) -> str:
    """When the first attempt failed that counts; this one, if it is that. Empty if none does."""
    if held.failing_since:
        moment = datetime.fromtimestamp(held.failing_since, UTC)
    elif is_transient:
        return ""
    else:
        moment = datetime.now(UTC)
    return timestamps.milliseconds_of(moment)


def _field(source: Source, entry_id: bytes) -> str:
    return FailedAttempt.field(source.name, entry_id.decode())
