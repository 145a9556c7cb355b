"""Takes over entries that were delivered and are in nobody's hands, the dangerous ones alone.

A process that died leaves its entries pending, and so does a reply that was lost on its way. The
server counts how often an entry was taken in hand; one that was taken by several processes, none
of which reported back, may be what ended them. Entries that were set aside are pending, too, and
come back when there is room for their key.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
from redis.asyncio import Redis

from consumers.runtime.entry import Source
from consumers.runtime.in_flight import InFlight

__all__ = [
    "LOOK_ASIDE_S",
    "MAX_ASIDE",
    "OWNER",
    "Fields",
    "Taker",
    "bring_back",
    "claim",
    "resume",
    "take_suspects",
]

log = structlog.get_logger()

OWNER: Final = "owner"
"""The name of a partition's one consumer; the same for every process, so that none leaks."""

Fields = dict[bytes, bytes]

LOOK_ASIDE_S: Final = 0.1
"""How often it is looked whether anything that was set aside may come back."""
MAX_ASIDE: Final = 100_000
"""Entries that are set aside at most: some 20 MB of ids. Then nothing more is read."""

_PAGE: Final = 500
_MAX_BROUGHT_BACK: Final = 1000
_SUSPECT_DELIVERIES: Final = 3
_MAX_DELIVERIES: Final = 5


class Taker(Protocol):
    """What takes the entries in hand."""

    async def room(self) -> int:
        """Wait until entries may be taken, and say how many; 0 if none any more, or on hold."""

    async def take(
        self,
        source: Source,
        page: Sequence[tuple[bytes, Fields]],
        deliveries: Mapping[bytes, int],
    ) -> None:
        """Take entries; those without fields have lost their payload."""

    async def take_alone(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        """Take an entry while no other is handled; its first attempt has ended on return."""

    async def condemn(
        self, source: Source, entry_id: bytes, fields: Fields, deliveries: int
    ) -> None:
        """Make a dead letter of an entry that ended too many processes."""

    def take_back(self, source: Source, entry_id: bytes, fields: Fields, deliveries: int) -> None:
        """Take an entry that was set aside."""

    def pass_over(self, source: Source, entry_id: bytes) -> None:
        """Forget an entry that was set aside, and erased meanwhile."""


async def take_suspects(
    client: Redis,
    source: Source,
    group: str,
    in_flight: InFlight,
    taker: Taker,
    *,
    waits: Callable[[Fields], bool],
    buries_crashed: bool,
) -> None:
    """Take what may have ended processes and is not in hand, of whichever consumer of the group.

    One by one, each with its count raised before it is handled: if the process ends, this one is
    to blame and no other. With `buries_crashed`, one that has ended too many processes is condemned
    instead. One that `waits` is left alone.
    """
    async for page in _pending(client, source, group, in_flight):
        for entry_id, deliveries in page.items():
            if deliveries < _SUSPECT_DELIVERIES:
                continue
            if not await taker.room():
                return
            rows: Any = await client.xrange(source.key, entry_id, entry_id)
            fields = dict(rows).get(entry_id, {})
            if waits(fields):
                continue
            if buries_crashed and deliveries >= _MAX_DELIVERIES:
                await taker.condemn(source, entry_id, fields, deliveries)
            else:
                log.warning(
                    "suspect handled alone", entry_id=entry_id.decode(), deliveries=deliveries + 1
                )
                found = await claim(client, source, group, [entry_id])
                await taker.take_alone(source, entry_id, found.get(entry_id, {}), deliveries + 1)


async def resume(
    client: Redis, source: Source, group: str, in_flight: InFlight, taker: Taker
) -> None:
    """Take what is pending and not in hand, in the order of ids; after the suspects."""
    count = 0
    async for page in _pending(client, source, group, in_flight):
        ids = list(page)
        while ids:
            room = await taker.room()
            if not room:
                return
            some, ids = ids[:room], ids[room:]
            found = await claim(client, source, group, some)
            await taker.take(
                source,
                [(entry_id, found.get(entry_id, {})) for entry_id in some],
                {entry_id: page[entry_id] + 1 for entry_id in some},
            )
            count += len(some)
    if count:
        log.info("pending entries taken over", stream=source.key, entries=count)


async def bring_back(client: Redis, group: str, in_flight: InFlight, taker: Taker) -> None:
    """Take a thousand entries at most from aside; raises what the client raises.

    They are this process's already, so they are read and not claimed: no delivery is counted. What
    is not read because the server is away stays aside.
    """
    for key, some in list(in_flight.wanted(_MAX_BROUGHT_BACK)):
        async with client.pipeline(transaction=False) as pipeline:
            for source, entry_id, _ in some:
                pipeline.xrange(source.key, entry_id, entry_id)
            found: Any = await pipeline.execute()
        erased = {
            entry_id
            for (source, entry_id, _), rows in zip(some, found, strict=True)
            if not rows and not await _is_pending(client, source.key, group, entry_id)
        }
        in_flight.came_back(key, len(some))
        for (source, entry_id, deliveries), rows in zip(some, found, strict=True):
            if entry_id in erased:
                taker.pass_over(source, entry_id)
            else:
                taker.take_back(source, entry_id, dict(rows).get(entry_id, {}), deliveries)


async def claim(client: Redis, source: Source, group: str, ids: list[bytes]) -> dict[bytes, Fields]:
    """Take over; this raises the counts by one, and leaves out what is gone from the stream."""
    claimed: Any = await client.xclaim(source.key, group, OWNER, 0, ids)  # type: ignore[arg-type]
    return dict(claimed)


async def _pending(
    client: Redis, source: Source, group: str, in_flight: InFlight
) -> AsyncIterator[dict[bytes, int]]:
    """The pending entries that are not in hand, in pages, with their counts of deliveries.

    Nor are those that were in hand, and acknowledged while the server told of them.
    """
    after = "-"
    while True:
        in_flight.settled_meanwhile = settled = set[bytes]()
        try:
            rows: Any = await client.xpending_range(source.key, group, after, "+", _PAGE)
        finally:
            in_flight.settled_meanwhile = None
        yield {
            row["message_id"]: row["times_delivered"]
            for row in rows
            if not in_flight.has(source, row["message_id"]) and row["message_id"] not in settled
        }
        if len(rows) < _PAGE:
            return
        after = f"({rows[-1]['message_id'].decode()}"


async def _is_pending(client: Redis, key: str, group: str, entry_id: bytes) -> bool:
    """Whether a group still has an entry to handle; whoever erases one acknowledges it, too."""
    rows: Any = await client.xpending_range(key, group, entry_id, entry_id, 1)
    return bool(rows)
