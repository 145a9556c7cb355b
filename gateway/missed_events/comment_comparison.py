"""Compares a list of an entity's comments with what consumers were told of them. Pure.

Bitrix24 gives ids in rising order, so a comment with an id above all that were there the last time
is new; one with a lower id that was not known then only moved here, which is no event.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

__all__ = ["Differences", "Entity", "KnownEntity", "Listing", "ToldContent", "differences"]


class Entity(NamedTuple):
    """What has a timeline with comments: `deal` 15."""

    type: str
    id: int

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"

    @classmethod
    def of(cls, text: str) -> "Entity":
        """Read what `str` wrote."""
        name, _, number = text.rpartition(":")
        return cls(name, int(number))


class ToldContent(NamedTuple):
    """The content that consumers were last told of; `since` says by what, and differs each time."""

    content_hash: str
    since: str


class KnownEntity(Struct, frozen=True, kw_only=True):
    """What is known of an entity: what consumers were told of its comments, and when it was listed
    last (Unix ms; 0 for never), with the highest id that was there.
    """

    told: Mapping[int, ToldContent]
    listed_ms: int
    highest_id: int


class Listing(Struct, frozen=True, kw_only=True):
    """The contents of an entity's comments by their ids; of a long list, of the newest only."""

    hashes: Mapping[int, str]
    is_complete: bool

    @property
    def from_id(self) -> int:
        """Comments with lower ids were not looked at."""
        return 0 if self.is_complete else min(self.hashes, default=0)


class Differences(Struct, frozen=True, kw_only=True):
    """Comments of which consumers were not told what they are like; each in rising order."""

    added: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    deleted: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.deleted)


def differences(listing: Listing, known: KnownEntity) -> Differences:
    """What is different; nothing on the first sight of an entity."""
    if not known.listed_ms:
        return Differences()
    hashes, told = listing.hashes, known.told
    new = [one for one in hashes if one not in told and one > known.highest_id]
    changed = [one for one in hashes if one in told and told[one].content_hash != hashes[one]]
    gone = [one for one in told if one not in hashes and one >= listing.from_id]
    return Differences(
        added=tuple(sorted(new)), updated=tuple(sorted(changed)), deleted=tuple(sorted(gone))
    )
