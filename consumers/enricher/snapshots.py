"""Remembers an object for when it is gone: whose it was, what about, a hash of it.

    b24:snapshot:{p}:<member id>:<comment id>      encrypted, until it expires
    b24:snapshot:{p}:<member id>:deal/77           the same of any other object

Not its texts: what somebody deletes in the portal is not kept here. Without [vault] keys there are
none.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers import Transient, Write
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.fetch_methods import Fetched
from gateway.contract import Comment, EventSubject, FetchedObject, Streams
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as, predicate
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["CommentSnapshot", "ObjectSnapshot", "Snapshots"]

log: Any = structlog.get_logger(__name__)

_DAY_MS: Final = 86_400_000
_KEPT: Final = re.compile(
    r"id|status|[a-z][A-Za-z]*(?:Id|By|Time|Date)"
    r"|ID|STATUS|[A-Z][A-Z_]*_(?:ID|BY|TIME|DATE)|DATE_[A-Z_]+"
)
"""Names of fields that say which and whose, when and where it stands, in both of the portals'
spellings; none of them is a text that somebody wrote."""
_MAX_KEPT: Final = 40
_MAX_KEPT_CHARS: Final = 64


class CommentSnapshot(Struct, frozen=True, kw_only=True):
    """The comment's identity is inside, so that one comment's text does not open for another."""

    member_id: str
    comment_id: int
    author_id: int | None = None
    entity_type: str | None = None
    entity_id: int | None = None
    created_at: str | None = None
    content_hash: str | None = None

    def is_of(self, member_id: str, subject: EventSubject) -> bool:
        """Whether it is this comment's."""
        return (self.member_id, self.comment_id) == (member_id, subject.id)


class ObjectSnapshot(Struct, frozen=True, kw_only=True):
    """The same of any other object; `fields` are those that are kept, by the portal's names."""

    member_id: str
    subject: str
    fields: dict[str, Any] = {}
    content_hash: str | None = None

    def is_of(self, member_id: str, subject: EventSubject) -> bool:
        """Whether it is this object's."""
        return (self.member_id, self.subject) == (member_id, str(subject))


class Snapshots:
    """Seals and opens the snapshots of all comments; without a vault none are made or read."""

    def __init__(
        self, redis: Redis, vault: Vault | None, streams: Streams, *, kept_days: float
    ) -> None:
        self._redis = redis
        self._vault = vault if kept_days > 0 else None
        self._streams = streams
        self._kept_ms = max(1, round(kept_days * _DAY_MS))

    def writes(
        self, partition: int, member_id: str, wanted: Wanted, fetched: Fetched
    ) -> tuple[Write, ...]:
        """What remembers an object that is present; nothing of others."""
        if self._vault is None or fetched.state != "present":
            return ()
        snapshot = (
            _comment_snapshot(member_id, wanted, fetched)
            if isinstance(fetched, Comment)
            else _object_snapshot(member_id, wanted, fetched)
        )
        sealed = self._vault.seal(msgspec.json.encode(snapshot))
        key = self._streams.snapshot(partition, member_id, wanted.subject)
        return (Write("SET", key, (sealed, "PX", self._kept_ms)),)

    async def read(
        self, partition: int, member_id: str, wanted: Collection[Wanted]
    ) -> dict[Wanted, CommentSnapshot | ObjectSnapshot]:
        """What is remembered of these objects, there or on their former partitions.

        Raises Transient while Redis is away or refuses.
        """
        if self._vault is None or not wanted:
            return {}
        opened: dict[Wanted, CommentSnapshot | ObjectSnapshot | None] = {}
        for layout in reversed(self._streams.layouts):
            places: dict[int, list[Wanted]] = {}
            for one in wanted if layout.start <= partition else ():
                if one not in opened:
                    place = Streams.partition_in(layout, member_id, one.subject)
                    places.setdefault(partition if partition in layout else place, []).append(one)
            for place, some in places.items():
                values = await self._values(place, member_id, some)
                opened |= {
                    one: _opened(self._vault, sealed, member_id, one)
                    for one, sealed in zip(some, values, strict=True)
                    if sealed is not None
                }
        return {one: found for one, found in opened.items() if found is not None}

    async def _values(
        self, partition: int, member_id: str, wanted: Sequence[Wanted]
    ) -> Sequence[bytes | None]:
        keys = [self._streams.snapshot(partition, member_id, one.subject) for one in wanted]
        with failures_as(_to_be_tried_again, among=AWAY_OR_REFUSING):
            values: Any = await self._redis.mget(keys)
        return list(values)


def _comment_snapshot(member_id: str, wanted: Wanted, comment: Comment) -> CommentSnapshot:
    assert isinstance(wanted.subject.id, int)  # noqa: S101 - a comment's is a number
    return CommentSnapshot(
        member_id=member_id,
        comment_id=wanted.subject.id,
        author_id=comment.author_id,
        entity_type=comment.entity_type,
        entity_id=comment.entity_id,
        created_at=comment.created_at,
        content_hash=comment.content_hash,
    )


def _object_snapshot(member_id: str, wanted: Wanted, fetched: FetchedObject) -> ObjectSnapshot:
    kept = {
        name: value
        for name, value in fetched.fields.items()
        if _KEPT.fullmatch(name)
        and isinstance(value, int | str)
        and len(str(value)) <= _MAX_KEPT_CHARS
        and not name.lower().startswith(("birth", "uf"))
    }
    return ObjectSnapshot(
        member_id=member_id,
        subject=str(wanted.subject),
        fields=dict(list(kept.items())[:_MAX_KEPT]),
        content_hash=fetched.content_hash,
    )


def _opened(
    vault: Vault, sealed: bytes, member_id: str, wanted: Wanted
) -> CommentSnapshot | ObjectSnapshot | None:
    snapshot: CommentSnapshot | ObjectSnapshot
    try:
        if wanted.is_comment:
            snapshot = msgspec.json.decode(vault.open(sealed), type=CommentSnapshot)
        else:
            snapshot = msgspec.json.decode(vault.open(sealed), type=ObjectSnapshot)
    except (Unreadable, msgspec.DecodeError) as error:
        why = str(error)
    else:
        if snapshot.is_of(member_id, wanted.subject):
            return snapshot
        why = "it is another comment's" if wanted.is_comment else "it is another object's"
    log.warning("a snapshot cannot be read", member_id=member_id, **wanted.keys, why=why)
    return None


def _to_be_tried_again(error: Exception) -> Transient:
    return Transient(f"Redis {predicate(error)}")
