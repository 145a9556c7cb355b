"""Looks at the streams again and again, measures them, and trims them if it leads."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import structlog
from msgspec.structs import replace
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway.background import Background
from gateway.contract import Streams
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.entry_count import counts_reads
from gateway.redis_access.entry_marks import EntryMarks
from gateway.redis_access.leases import Leases
from gateway.retention.dead_letter_expiry import DeadLetterExpiry
from gateway.retention.episodes import Episodes
from gateway.retention.losses import balanced, removal
from gateway.retention.precautions import dangers
from gateway.retention.relief import KeptPartition, Relief
from gateway.retention.reporting import Telling
from gateway.retention.stream_access import StreamAccess, StreamKeys, StreamLook
from gateway.retention.stream_state import GroupState
from gateway.retention.trim_plan import TrimPlan, TrimRules, plan_for
from gateway.settings import RetentionSettings

__all__ = ["Retention"]

log: Any = structlog.get_logger(__name__)

_STREAMS: Final = ("events", "comments")
_MAX_CALLS: Final = 100
# Trims of a thousand entries that one look makes at most; the next look goes on.
_CLOSE_S: Final = 1.0
_MEMORY_LOOK_S: Final = 1.0
_LEASE_LOOKS: Final = 3
# A leader that misses so many looks is followed by another one.


class Retention:
    """Does the retention of one receiver process; all of them run it, one at a time trims a
    partition.

    `client` is a control client, which this does not close. While Redis is away nothing is done.
    """

    def __init__(self, client: Redis, streams: Streams, settings: RetentionSettings) -> None:
        lease_ms = max(1000, round(settings.every_s * 1000 * _LEASE_LOOKS))
        self._client = client
        self._streams = streams
        self._rules = TrimRules.of(settings)
        self._every_s = settings.every_s
        owner = str(uuid7())
        self._leases = Leases(client, owner=owner, life_ms=lease_ms)
        self._access = StreamAccess(client, owner=owner)
        self._dead_letters = DeadLetterExpiry(client, streams, kept_days=settings.dead_letter_days)
        self._relief = Relief(client, self._access, self._rules)
        self._leading: set[str] = set()
        self._before: dict[str, Mapping[str, GroupState]] = {}
        self._marks: dict[str, EntryMarks] = {}
        self._episodes = Episodes()
        self._counts_reads = False
        self._is_away = False
        self._stopping = asyncio.Event()
        # What is not trimmed now is trimmed later.
        self._keeping = Background(self._run, name="retention", begins_anew=True)

    def start(self) -> None:
        """Start looking."""
        self._keeping.start()

    async def close(self) -> None:
        """Finish with the stream in hand, if that is quick, and let another process lead."""
        self._stopping.set()
        # Cut off, it is harmless at any point: what was not done is done by the next.
        await self._keeping.finish(within_s=_CLOSE_S)

    async def look_once(self) -> None:
        """Look at everything once; raises RedisError."""
        found = dangers(await self._client.info("memory"), await self._client.info("persistence"))
        for danger in sorted(self._episodes.begun("redis", map(str, found))):
            log.warning("redis can lose events", why=danger, what_to_do="see docs/retention.md")
        self._counts_reads = counts_reads(await self._client.info("server"))
        kept = []
        for partition in self._streams.numbers:
            lease = self._streams.retention_lease(partition)
            leads = await self._leases.hold(lease)
            (self._leading.add if leads else self._leading.discard)(lease)
            for stream in _STREAMS:
                keys = StreamKeys(
                    stream=self._streams.key(stream, partition),
                    lease=lease,
                    books=self._streams.retention_books(stream, partition),
                    marks=self._streams.retention_marks(stream, partition),
                )
                one = await self._keep(keys, Telling(stream, partition, keys.stream), leads=leads)
                if one is not None:
                    kept.append(one)
                if self._stopping.is_set():
                    return
        await self._relief.relieve(kept)
        if self._streams.retention_lease(0) in self._leading:
            await self._dead_letters.age_out(now=time.time())

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.look_once()
                if self._is_away:
                    log.info("retention looks at the streams again")
                self._is_away = False
            except FAILURES as error:
                if not self._is_away:
                    log.warning("retention cannot look at the streams", error=str(error))
                self._is_away = True
            await self._pause()
        try:
            for lease in sorted(self._leading):
                await self._leases.release(lease)
        except FAILURES as error:
            log.debug("retention's leases are left to expire", error=str(error))

    async def _pause(self) -> None:
        """Until the next look: at once if a server is short of memory, which shows in a second."""
        keys = self._streams.keys("events")
        until = time.monotonic() + self._every_s
        while (left_s := until - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(left_s, _MEMORY_LOOK_S)):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            try:
                if self._stopping.is_set() or await self._relief.is_wanted(keys):
                    return
            except FAILURES as error:
                log.debug("redis does not tell its memory", error=str(error))

    async def _keep(
        self, keys: StreamKeys, telling: Telling, *, leads: bool
    ) -> KeptPartition | None:
        """Look at a partition of a stream, and keep it if this process leads there; what it is."""
        look = await self._look(keys)
        before = self._before.pop(keys.stream, {})
        groups = look.state.groups if look.state is not None else ()
        telling.end(
            before.keys() - {group.name for group in groups}, has_stream=look.state is not None
        )
        if look.state is not None:
            telling.measure(look.state, now_ms=look.now_ms)
            self._before[keys.stream] = {group.name: group for group in look.state.groups}
        if not leads:
            return None
        await self._check_books(keys, telling, look, before)
        marks = self._marks.setdefault(keys.marks, EntryMarks(self._client, keys.marks))
        if look.state is None:
            await marks.forget()
            return None
        await marks.note(look.state.last, look.state.added)
        plan = plan_for(look.state, self._rules, now_ms=look.now_ms)
        holders = {holder.group: holder for holder in plan.holders}
        for group in sorted(self._episodes.begun(keys.stream, holders)):
            telling.holder(holders[group])
        if plan.trim_to is not None:
            await self._trim(keys, telling, plan)
            look = await self._look(keys)
        if look.state is None:
            return None
        return KeptPartition(keys=keys, telling=telling, state=look.state, now_ms=look.now_ms)

    async def _look(self, keys: StreamKeys) -> StreamLook:
        look = await self._access.look(keys)
        if look.state is None or self._counts_reads:
            return look
        return replace(look, state=look.state.without_counts())

    async def _check_books(
        self,
        keys: StreamKeys,
        telling: Telling,
        look: StreamLook,
        before: Mapping[str, GroupState],
    ) -> None:
        state, books = look.state, look.books
        if state is None:
            if books is not None:
                telling.gone()
                await self._access.write_books(keys, None)
            return
        found = removal(state, books, before)
        if found is not None:
            telling.removed_by_others(found, state)
        if books is None or state.removed != books.own + books.others:
            await self._access.write_books(keys, balanced(state, books))

    async def _trim(self, keys: StreamKeys, telling: Telling, plan: TrimPlan) -> None:
        assert plan.trim_to is not None  # noqa: S101 - tells the type checker
        total, lost = 0, Counter[str]()
        for _ in range(_MAX_CALLS):
            result = await self._access.trim(keys, plan, self._rules.non_holding)
            if result is None or not result[0]:
                break
            total += result[0]
            lost.update(result[1])
        if total:
            telling.trimmed(total, lost, up_to=plan.trim_to)
