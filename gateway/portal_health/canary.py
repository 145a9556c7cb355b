"""Follows a test event from the portal to every group that reads the streams.

It is a real event: the portal is asked to send it (`event.test`), delivers it like any other, and
consumers handle it. Following only reads what is there.

https://apidocs.bitrix24.com/api-reference/events/test-handler.html
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis
from uuid_utils import uuid4

from gateway.bitrix24.client import PortalClient
from gateway.contract import APP_SUBJECT, EVENT_FIELD, EntryId, EventSubject, Streams
from gateway.ops.group_standings import GroupStanding
from gateway.redis_access.stream_information import group_rows, stream_information

__all__ = ["Flight", "ask_for_test", "fly", "reason_of"]

_ACCEPTED: Final = "portal"
_LOOK_S: Final = 0.02
_PAGE: Final = 500
_FEEDER: Final = "enricher"
# The group that takes events from `events` to `comments`.


class Flight(Struct, frozen=True):
    """After how many milliseconds the canary was where; None where it never was.

    The steps are in their order: `portal`, `events`, `events: <group>`, `comments`, …
    """

    steps: dict[str, float | None]

    @property
    def stopped_at(self) -> str | None:
        """The first step that was not made; None if all were."""
        return next((name for name, ms in self.steps.items() if ms is None), None)


class _Place:
    """One partition of a stream, looked at from the moment on when this was made."""

    def __init__(
        self, client: Redis, name: str, key: str, *, position: str, groups: list[str]
    ) -> None:
        self.name = name
        self.groups = groups
        self._client = client
        self._key = key
        self._position = position
        self._entry_id = ""

    @classmethod
    async def now(cls, client: Redis, name: str, key: str) -> "_Place":
        """The stream with its groups, after its last entry."""
        about = await stream_information(client, key)
        if about is None:
            return cls(client, name, key, position="0-0", groups=[])
        rows = await group_rows(client, key)
        return cls(
            client,
            name,
            key,
            position=about["last-generated-id"].decode(),
            groups=sorted(row["name"].decode() for row in rows),
        )

    def steps(self) -> Iterator[str]:
        """The event is on the stream, and each group has acknowledged it."""
        yield self.name
        yield from (f"{self.name}: {group}" for group in self.groups)

    async def made(self, mark: bytes) -> list[str]:
        """The steps that the event which contains `mark` has made until now."""
        if not self._entry_id and not await self._finds(mark):
            return []
        return [self.name, *[f"{self.name}: {group}" for group in await self._acknowledged()]]

    async def _finds(self, mark: bytes) -> bool:
        while True:
            page: Any = await self._client.xrange(self._key, f"({self._position}", "+", _PAGE)
            for entry_id, fields in page:
                self._position = entry_id.decode()
                if mark in fields.get(EVENT_FIELD, b""):
                    self._entry_id = self._position
                    return True
            if len(page) < _PAGE:
                return False

    async def _acknowledged(self) -> list[str]:
        rows: Any = await self._client.xinfo_groups(self._key)
        found = []
        for row in rows:
            group = row["name"].decode()
            if EntryId.of(row["last-delivered-id"]) >= EntryId.of(self._entry_id):
                pending = await self._client.xpending_range(
                    self._key, group, self._entry_id, self._entry_id, 1
                )
                found += [] if pending else [group]
        return found


async def ask_for_test(
    portal: PortalClient, test_id: str, *, timeout_s: float | None = None
) -> None:
    """Let the portal send a test event, which becomes `bitrix24.app.tested` with `data.test`.

    Raises Bitrix24Error; within `timeout_s`, if what goes wrong is known by then.
    """
    await portal.call("event.test", {"canary": test_id}, timeout_s=timeout_s)


async def fly(
    portal: PortalClient, member_id: str, *, client: Redis, streams: Streams, timeout_s: float
) -> Flight:
    """Send a canary, and follow it for `timeout_s` at most.

    Raises Bitrix24Error if the portal cannot be asked; one of connections.FAILURES.
    """
    test_id = f"canary-{uuid4().hex}"
    partition = streams.partition_of(member_id, EventSubject(APP_SUBJECT))
    events, comments = [
        await _Place.now(client, name, streams.key(name, partition))
        for name in ("events", "comments")
    ]
    # Without anybody who feeds it, `comments` is not on the way.
    places = (events, comments) if _FEEDER in events.groups else (events,)
    names = [_ACCEPTED, *(name for place in places for name in place.steps())]
    steps: dict[str, float | None] = dict.fromkeys(names)
    began = monotonic()

    def arrived(name: str) -> None:
        if name in steps and steps[name] is None:
            steps[name] = round((monotonic() - began) * 1000, 1)

    try:
        async with asyncio.timeout(timeout_s):
            # Half of the time, so that why the portal cannot be asked is told before time is up.
            await ask_for_test(portal, test_id, timeout_s=timeout_s / 2)
            arrived(_ACCEPTED)
            while None in steps.values():
                for place in places:
                    for name in await place.made(test_id.encode()):
                        arrived(name)
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        pass
    return Flight(steps)


def reason_of(step: str, groups: Sequence[GroupStanding]) -> str:
    """Why the canary may not have made a step, and what to look at; `groups` are as of now."""
    stream, _, group = step.partition(": ")
    if stream == _ACCEPTED:
        return "the portal did not answer in time"
    if not group and stream == "events":
        return (
            "the portal was asked, and nothing came: see `gateway portals check`, the receiver's "
            "log, and whether [bitrix24] public_url leads to it"
        )
    if not group:
        return f"the event did not come to `{stream}`: does `consumers run {_FEEDER}` run?"
    owned = [one.owner for one in groups if (one.stream, one.group) == (stream, group)]
    why = "it has other work first" if any(owned) else "no process works for it"
    return f"the group {group} has not acknowledged the event on `{stream}`: {why}"
