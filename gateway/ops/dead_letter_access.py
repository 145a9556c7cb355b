"""Reads dead letters for operators, gives them back to their group, or drops them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import (
    DeadLetter,
    EntryId,
    Event,
    EventSelection,
    InvalidEvent,
    Streams,
    decode_event,
)
from gateway.ops.entry_lines import portal_names
from gateway.redis_access import lua

__all__ = [
    "DeadLetterAddress",
    "LetterFilter",
    "StoredLetter",
    "dead_letters",
    "drop",
    "groups_with_dead_letters",
    "letters_at",
    "newest_letters",
    "retry",
]

_PAGE: Final = 100


class DeadLetterAddress(Struct, frozen=True):
    """Where a dead letter is kept; written `<partition>/<id>`."""

    partition: int
    id: str

    @classmethod
    def of(cls, text: str) -> "DeadLetterAddress":
        """Read `<partition>/<id>`. Raises ValueError."""
        partition, _, entry_id = text.partition("/")
        try:
            return cls(int(partition), str(EntryId.of(entry_id)))
        except ValueError:
            raise ValueError(
                f"{text}: not <partition>/<id>, as `gateway dead list` shows it"
            ) from None

    def __str__(self) -> str:
        return f"{self.partition}/{self.id}"


class StoredLetter(Struct, frozen=True):
    """A dead letter and its address; `event` is None if it is about none that can be read."""

    address: DeadLetterAddress
    letter: DeadLetter
    event: Event | None = None

    @property
    def event_id(self) -> str | None:
        """The event's id."""
        return None if self.event is None else self.event.id

    @property
    def type(self) -> str | None:
        """The event's type."""
        return None if self.event is None else self.event.type

    @property
    def subject(self) -> str | None:
        """What it is about, as `comment/7`."""
        return None if self.event is None else self.event.subject

    @property
    def member_id(self) -> str | None:
        """The portal's id."""
        return None if self.event is None else portal_names(self.event)[0]

    @property
    def domain(self) -> str | None:
        """The portal's domain, where the event has one."""
        return None if self.event is None else portal_names(self.event)[1]

    @property
    def portal(self) -> str | None:
        """The portal's name for people: its domain, or its id where the event has none."""
        return self.domain or self.member_id


class LetterFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters are meant: those that are all of what is given.

    Times are in Unix ms by the server's clock: given up since the one, and before the other.
    """

    reason: str | None = None
    selection: EventSelection = EventSelection()
    since_ms: int | None = None
    until_ms: int | None = None

    def has(self, stored: StoredLetter) -> bool:
        """Whether a letter is meant."""
        at_ms = EntryId.of(stored.address.id).ms
        return (
            self.reason in (None, stored.letter.reason)
            and (self.since_ms is None or at_ms >= self.since_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
            and (
                self.selection.is_everything
                or (stored.event is not None and self.selection.has(stored.event))
            )
        )


async def groups_with_dead_letters(redis: Redis, streams: Streams) -> list[str]:
    """The groups that have or had dead letters."""
    before, _, _after = streams.dead("*", 0).partition("*")
    groups = set()
    async for key in redis.scan_iter(match=f"{before}*", count=1000, _type="STREAM"):
        name = key.decode().removeprefix(before)
        groups.add(name[: name.rindex(":{")])
    return sorted(groups)


async def newest_letters(redis: Redis, streams: Streams, group: str) -> dict[int, str]:
    """The id of the newest dead letter of each partition that has any."""
    newest = {}
    for partition in streams.numbers:
        found: Any = await redis.xrevrange(streams.dead(group, partition), count=1)
        if found:
            newest[partition] = found[0][0].decode()
    return newest


async def dead_letters(
    redis: Redis, streams: Streams, group: str, newest: Mapping[int, str], wanted: LetterFilter
) -> AsyncIterator[list[StoredLetter]]:
    """The dead letters of a group up to the newest ones, oldest first in each partition.

    They come in lists of a hundred at most, however many there are; those of a list may be gone
    when the next one is asked for.
    """
    for partition, last in newest.items():
        after, page = "-" if wanted.since_ms is None else str(wanted.since_ms), None
        while page is None or len(page) == _PAGE:
            page = await _page(redis, streams.dead(group, partition), after, last)
            letters = [_stored(partition, letter_id, fields) for letter_id, fields in page]
            if some := [one for one in letters if wanted.has(one)]:
                yield some
            if page:
                after = f"({page[-1][0].decode()}"


async def letters_at(
    redis: Redis,
    streams: Streams,
    group: str,
    addresses: Sequence[DeadLetterAddress],
    wanted: LetterFilter,
) -> list[StoredLetter]:
    """The dead letters at these addresses, as far as they are there; each is read by its id."""
    found = []
    for partition, ids in _by_partition(addresses):
        for one in ids:
            page = await _page(redis, streams.dead(group, partition), one, one)
            found += [_stored(partition, letter_id, fields) for letter_id, fields in page]
    return [one for one in found if wanted.has(one)]


async def _page(redis: Redis, key: str, first: str, last: str) -> list[Any]:
    page: Any = await redis.xrange(key, first, last, count=_PAGE)
    return list(page)


def _stored(partition: int, letter_id: bytes, fields: dict[bytes, bytes]) -> StoredLetter:
    letter = DeadLetter.of(fields)
    try:
        event = decode_event(letter.event)
    except InvalidEvent:
        event = None
    return StoredLetter(DeadLetterAddress(partition, letter_id.decode()), letter, event)


async def retry(
    redis: Redis, streams: Streams, group: str, addresses: Sequence[DeadLetterAddress]
) -> int:
    """Give dead letters back to their group, and to no other; how many were still there.

    Each takes along how it died, this time and before. The group handles them like new ones, after
    a time with the entries of the same comment that came later: order is what a dead letter has
    cost.
    """
    script = lua.script(redis, "gateway.ops", "retry.lua")
    count = 0
    for partition, ids in _by_partition(addresses):
        for first in range(0, len(ids), _PAGE):
            keys = [streams.dead(group, partition), streams.replay(group, partition)]
            count += await script(keys=keys, args=ids[first : first + _PAGE])
    return count


async def drop(
    redis: Redis, streams: Streams, group: str, addresses: Sequence[DeadLetterAddress]
) -> int:
    """Delete dead letters for good; how many were still there."""
    count = 0
    for partition, ids in _by_partition(addresses):
        for first in range(0, len(ids), _PAGE):
            some = ids[first : first + _PAGE]
            count += await redis.xdel(streams.dead(group, partition), *some)
    return count


def _by_partition(addresses: Sequence[DeadLetterAddress]) -> list[tuple[int, list[str]]]:
    grouped: dict[int, list[str]] = {}
    for address in addresses:
        grouped.setdefault(address.partition, []).append(address.id)
    return sorted(grouped.items())
