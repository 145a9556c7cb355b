"""Remembers a comment for when it is gone: whose it was, what about, a hash of it.

    b24:snapshot:{p}:<member id>:<comment id>      encrypted, until it expires

Not its text: what somebody deletes in the portal is not kept here. Without [vault] keys nothing is.
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers import Transient, Write
from gateway.contract import Comment, Streams
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as, predicate
from gateway.vault.encryption import Unreadable, Vault

__all__ = ["CommentSnapshot", "Snapshots"]

log: Any = structlog.get_logger(__name__)

_DAY_MS: Final = 86_400_000


class CommentSnapshot(Struct, frozen=True, kw_only=True):
    """The comment's identity is inside, so that one comment's text does not open for another."""

    member_id: str
    comment_id: int
    author_id: int | None = None
    entity_type: str | None = None
    entity_id: int | None = None
    created_at: str | None = None
    content_hash: str | None = None


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
        self, partition: int, member_id: str, comment_id: int, comment: Comment
    ) -> tuple[Write, ...]:
        """What remembers a comment that is present; nothing of others."""
        if self._vault is None or comment.state != "present":
            return ()
        snapshot = CommentSnapshot(
            member_id=member_id,
            comment_id=comment_id,
            author_id=comment.author_id,
            entity_type=comment.entity_type,
            entity_id=comment.entity_id,
            created_at=comment.created_at,
            content_hash=comment.content_hash,
        )
        sealed = self._vault.seal(msgspec.json.encode(snapshot))
        key = self._streams.snapshot(partition, member_id, comment_id)
        return (Write("SET", key, (sealed, "PX", self._kept_ms)),)

    async def read(
        self, partition: int, member_id: str, comment_ids: Collection[int]
    ) -> dict[int, CommentSnapshot]:
        """What is remembered of these comments.

        Raises Transient while Redis is away or refuses.
        """
        if self._vault is None or not comment_ids:
            return {}
        keys = [self._streams.snapshot(partition, member_id, number) for number in comment_ids]
        with failures_as(_to_be_tried_again, among=AWAY_OR_REFUSING):
            values: Any = await self._redis.mget(keys)
        opened = {
            comment_id: self._opened(self._vault, sealed, member_id, comment_id)
            for comment_id, sealed in zip(comment_ids, values, strict=True)
            if sealed is not None
        }
        return {comment_id: found for comment_id, found in opened.items() if found is not None}

    @staticmethod
    def _opened(
        vault: Vault, sealed: bytes, member_id: str, comment_id: int
    ) -> CommentSnapshot | None:
        try:
            snapshot = msgspec.json.decode(vault.open(sealed), type=CommentSnapshot)
        except (Unreadable, msgspec.DecodeError) as error:
            why = str(error)
        else:
            if (snapshot.member_id, snapshot.comment_id) == (member_id, comment_id):
                return snapshot
            why = "it is another comment's"
        log.warning(
            "a snapshot cannot be read", member_id=member_id, comment_id=comment_id, why=why
        )
        return None


def _to_be_tried_again(error: Exception) -> Transient:
    return Transient(f"Redis {predicate(error)}")
