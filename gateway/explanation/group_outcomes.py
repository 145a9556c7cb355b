"""Asks what each group of a stream made of one entry."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import DeadLetter, EntryId, FailedAttempt, Pause, Redelivery, Streams
from gateway.explanation.entry_search import FoundEntry, SearchDeadline, look_through
from gateway.explanation.event_way import FoundLetter, GivenAgain, GroupOutcome
from gateway.ops.dead_letter_access import DeadLetterAddress
from gateway.ops.entries_in_hand import failures_of, last_failure
from gateway.ops.entry_lines import ReadEntry
from gateway.ops.group_interventions import command_to_resume, interventions_of
from gateway.ops.partition_owners import now_ms_at, owner_of

__all__ = ["outcomes_of"]

_MOST: Final = 20
"""Dead letters and redeliveries of one event that are shown."""


async def outcomes_of(
    redis: Redis, streams: Streams, found: FoundEntry, *, deadline: SearchDeadline
) -> list[GroupOutcome]:
    """What the groups made of an entry, in the order of their names."""
    key = streams.key(found.stream, found.partition)
    rows: Any = await redis.xinfo_groups(key)
    now_ms = await now_ms_at(redis, key)

    async def of(row: Any) -> GroupOutcome:
        look = _GroupLook(redis, streams, found, row, now_ms=now_ms, deadline=deadline)
        return await look.outcome()

    return list(await asyncio.gather(*map(of, sorted(rows, key=lambda row: row["name"]))))


class _GroupLook:
    """One group's part, of one entry."""

    def __init__(
        self,
        redis: Redis,
        streams: Streams,
        found: FoundEntry,
        row: Any,
        *,
        now_ms: int,
        deadline: SearchDeadline,
    ) -> None:
        self._redis = redis
        self._streams = streams
        self._found = found
        self._group = row["name"].decode()
        self._position = row["last-delivered-id"].decode()
        self._now_ms = now_ms
        self._deadline = deadline
        self._is_unsure = False

    async def outcome(self) -> GroupOutcome:
        redis, group, entry_id = self._redis, self._group, self._found.entry.id
        partition = self._found.partition
        owner = await owner_of(redis, self._streams, group, partition, now_ms=self._now_ms)
        pending = await self._pending(self._streams.key(self._found.stream, partition), entry_id)
        field = FailedAttempt.field(self._found.stream, entry_id)
        (failure,) = await failures_of(redis, self._streams.failures(group, partition), [field])
        again = await self._again()
        letters = await self._letters() if pending is None else []
        state: Literal["waiting", "in hand", "dead letter", "given again", "handled"] = "handled"
        if pending is not None:
            state = "in hand"
        elif EntryId.of(entry_id) > EntryId.of(self._position):
            state = "waiting"
        elif again:
            state = "given again"
        elif letters:
            state = "dead letter"
        pause = await self._pause() if state != "handled" else None
        return GroupOutcome(
            group=group,
            stream=self._found.stream,
            entry_id=entry_id,
            state=state,
            position=self._position,
            owner=owner.name,
            in_hand_s=pending["time_since_delivered"] / 1000 if pending else None,
            deliveries=pending["times_delivered"] if pending else None,
            failure=last_failure(failure, now_ms=self._now_ms) if pending else None,
            paused=None if pause is None else str(pause),
            resume=None if pause is None else command_to_resume(group, pause),
            letters=letters,
            again=again,
            is_unsure=self._is_unsure,
        )

    async def _pause(self) -> Pause | None:
        """What an operator has paused that it is part of."""
        event = self._found.entry.event
        assert event is not None  # noqa: S101 - it was found by its id
        known = await interventions_of(self._redis, self._streams, self._group)
        return next((one for one in known.pauses if one.selection.has(event)), None)

    async def _pending(self, key: str, entry_id: str) -> Any | None:
        try:
            rows: Any = await self._redis.xpending_range(key, self._group, entry_id, entry_id, 1)
        except ResponseError as error:
            if str(error).startswith("NOGROUP"):
                return None
            raise
        return rows[0] if rows else None

    async def _letters(self) -> list[FoundLetter]:
        """Its dead letters, which were made after it was stored, by the same clock."""
        partition = self._found.partition
        since = str(EntryId.of(self._found.entry.id).ms)
        letters = await self._holding_it(self._streams.dead(self._group, partition), since)
        read = [(entry.id, DeadLetter.of(entry.fields)) for entry in letters]
        return [
            FoundLetter(
                address=str(DeadLetterAddress(partition, letter_id)),
                reason=letter.reason,
                error=letter.error,
                attempts=letter.attempts,
                failed_at=letter.failed_at,
            )
            for letter_id, letter in read
            if letter.stream == self._found.stream
        ]

    async def _again(self) -> list[GivenAgain]:
        key = self._streams.replay(self._group, self._found.partition)
        failures = self._streams.failures(self._group, self._found.partition)
        found = []
        for entry in await self._holding_it(key, "-"):
            again = Redelivery.of(entry.fields)
            if again.stream != self._found.stream:
                continue
            field = FailedAttempt.field("replay", entry.id)
            (failure,) = await failures_of(self._redis, failures, [field])
            found.append(
                GivenAgain(
                    kind="replay" if again.is_replay else "retry",
                    entry_id=entry.id,
                    is_in_hand=await self._pending(key, entry.id) is not None,
                    failure=last_failure(failure, now_ms=self._now_ms),
                )
            )
        return found

    async def _holding_it(self, key: str, since: str) -> Sequence[ReadEntry]:
        event = self._found.entry.event
        assert event is not None  # noqa: S101 - it was found by its id
        reading = await look_through(
            self._redis,
            key,
            since,
            "+",
            needle=event.id.encode(),
            wanted=lambda entry: entry.event is not None and entry.event.id == event.id,
            most=_MOST,
            deadline=self._deadline,
        )
        self._is_unsure |= reading.reached is not None and len(reading.found) < _MOST
        return reading.found
