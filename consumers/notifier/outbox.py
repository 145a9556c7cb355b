"""Keeps a target's outbox in Redis: what it is still to be told, and when. The layout is fixed.

A target is called `<route>/<number of the URL>`, and all its keys share a slot of a cluster:
`b24:notifier:{<target>}:…`. They do not stand in the slots of the stream's partitions, because a
digest or an hourly cap is one for all partitions. All outboxes there are, those of routes that are
gone included, are found by `SCAN MATCH b24:notifier:{*}:notices`.

* `notices`, a hash: what is still to be told about each comment, as notices.encoded. The field is
  `<member_id>:<comment_id>`; a notice of an event that is not about a comment stands under the
  event's id, which has no colon. The value is a MessagePack map; its `raw` is the newest event as
  JSON, with the comment's text, and `behind`, if it is there, is a map of the same kind
* `due`, a sorted set of the same fields: when each of them is looked at again, in milliseconds. For
  a notice that is being sent (its `lease` is not empty) this is when its lease runs out
* `taken:<event id>`: this event was put into the outbox before; kept for three days. Its value
  says what became of it, for operators: `1` (not known yet), `sent <when>`, `given-up <when>
  <why>`, and `joined <event id>` or `withdrawn <event id>` by a later event of the comment
* `hour:<begin>`: how many messages were sent in this hour
* `pause`: the target failed, or asked for a pause; lives as long as the pause

No other key holds anything of a comment or of who wrote it. A notice is withdrawn by taking its
field out of `notices` and of `due`, at any time and by anybody: nobody is told of it then, but for
a message that is under way at that moment, and nothing brings it back. The mark `taken` stays, so
that the event is not taken in again.

Decisions are made by their callers and written by compare-and-swap (swap.lua), so that any number
of processes may work on one outbox. Every command here may be repeated.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, Literal, cast

from msgspec import Struct
from redis.asyncio import Redis

from consumers.notifier.notices import Notice, decoded, encoded
from consumers.notifier.send_plan import Due
from gateway.redis_access import lua

__all__ = ["Change", "Outbox", "OutboxLook"]

_TAKEN_S: Final = 3 * 86_400
"""For how long an event is known to have been put here. The runtime delivers an event twice only
when it crashed before acknowledging it, and then as soon as it runs again."""
_KEEP_S: Final = 14 * 86_400
"""An outbox that nobody has touched for so long belongs to a route that is gone."""


class Change(Struct, frozen=True):
    """A notice as it was found, what is to stand in its place, and when that is due.

    Without `due_ms`, when it is due stays as it was.
    """

    key: str
    old: Notice | None
    new: Notice | None
    due_ms: int | None = None


class OutboxLook(Struct, frozen=True):
    """What a sender has to know: what is due, what comes next, and what holds it back."""

    due: tuple[Due, ...]
    next_due_ms: int | None
    sent_this_hour: int
    paused_ms: int
    waiting: int


class Outbox:
    """Reads and changes the outbox of the target `name`."""

    def __init__(self, redis: Redis, *, prefix: str, name: str) -> None:
        self.name = name
        self._redis = redis
        self._key = f"{prefix}:notifier:{{{name}}}"
        self._notices = f"{self._key}:notices"
        self._due = f"{self._key}:due"
        self._pause = f"{self._key}:pause"
        self._swap = lua.script(redis, "consumers.notifier", "swap.lua")

    async def take(
        self, event_id: str, change: Change, *, replaced: tuple[str, str] | None = None
    ) -> Literal["done", "taken"] | Notice | None:
        """Change a notice because of an event, once for each event.

        `replaced` is the event that is not told of by itself any more, and what is noted of it.
        The answer is the notice that is there (None for none) if it is not `change.old`; then
        nothing was changed.
        """
        before, note = replaced or (event_id, "")
        reply = await self._swapped(
            f"{self._key}:taken:{event_id}",
            ("take", _TAKEN_S, note),
            (change,),
            before=f"{self._key}:taken:{before}",
        )
        if reply == b"done":
            return "done"
        return "taken" if reply == b"taken" else decoded(reply[1:])

    async def claim(
        self, changes: Sequence[Change], *, messages: int, hour_ms: int, max_per_hour: int
    ) -> bool:
        """Change all the notices and count `messages` for the hour, or nothing of it."""
        mark = f"{self._key}:hour:{hour_ms}"
        return await self._swapped(mark, ("send", messages, max_per_hour), changes) == b"done"

    async def swap(self, changes: Sequence[Change]) -> bool:
        """Change all the notices, or none if one of them is no longer as it was found."""
        return await self._swapped(self._pause, ("keep", 0, 0), changes) == b"done"

    async def note(self, outcomes: Mapping[str, str]) -> None:
        """Note what became of events, for as long as they are known to have been taken."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for event_id, outcome in outcomes.items():
                pipe.set(f"{self._key}:taken:{event_id}", outcome, xx=True, keepttl=True)
            await pipe.execute()

    async def look(self, *, now_ms: int, farthest_ms: int, hour_ms: int, limit: int) -> OutboxLook:
        """What is due at `now_ms`, at most `limit` of it.

        So is what is due after `farthest_ms`, which nobody asked for: a clock was ahead.
        """
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrange(self._due, "-inf", str(now_ms), byscore=True, offset=0, num=limit)
            pipe.zrange(
                self._due, f"({now_ms}", "+inf", byscore=True, offset=0, num=1, withscores=True
            )
            pipe.zrange(self._due, f"({farthest_ms}", "+inf", byscore=True, offset=0, num=limit)
            pipe.get(f"{self._key}:hour:{hour_ms}")
            pipe.pttl(self._pause)
            pipe.zcard(self._due)
            keys, later, astray, count, paused_ms, waiting = await pipe.execute()
        return OutboxLook(
            due=await self._read([*keys, *astray]),
            next_due_ms=int(later[0][1]) if later else None,
            sent_this_hour=int(count or 0),
            paused_ms=max(0, paused_ms),
            waiting=waiting,
        )

    async def oldest(self, count: int) -> tuple[Due, ...]:
        """The notices that are due first."""
        keys = await self._redis.zrange(self._due, 0, count - 1)
        return await self._read(cast("list[bytes]", keys))

    async def notice(self, key: str) -> Notice | None:
        """The notice that stands there now."""
        return decoded(await cast("Awaitable[bytes | None]", self._redis.hget(self._notices, key)))

    async def size(self) -> int:
        """How many notices wait, or are being sent."""
        return int(await self._redis.zcard(self._due))

    async def pause(self, milliseconds: int) -> None:
        """Send nothing to this target for so long, whichever process."""
        await self._redis.set(self._pause, "1", px=max(1, milliseconds))

    async def paused_ms(self) -> int:
        """How long the pause still lasts; 0 for none."""
        return max(0, int(await self._redis.pttl(self._pause)))

    async def _read(self, keys: Sequence[bytes]) -> tuple[Due, ...]:
        if not keys:
            return ()
        values = await cast(
            "Awaitable[list[bytes | None]]", self._redis.hmget(self._notices, list(keys))
        )
        return tuple(
            Due(key.decode(), notice)
            for key, value in zip(keys, values, strict=True)
            if (notice := decoded(value)) is not None
        )

    async def _swapped(
        self,
        mark: str,
        mode: tuple[str, int, int | str],
        changes: Sequence[Change],
        *,
        before: str | None = None,
    ) -> bytes:
        arguments: list[Any] = [*mode, _KEEP_S]
        for change in changes:
            due = "" if change.due_ms is None else change.due_ms
            arguments += [change.key, encoded(change.old), encoded(change.new), due]
        keys = [self._notices, self._due, mark, before or mark]
        reply = await self._swap(keys=keys, args=arguments)
        assert isinstance(reply, bytes)  # noqa: S101 - tells the type checker
        return reply
