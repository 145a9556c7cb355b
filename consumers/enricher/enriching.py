"""Makes the event on `comments` out of an event and what is known of its comment. Pure."""

from typing import Any

import msgspec
from msgspec.structs import replace

from consumers.enricher.snapshots import CommentSnapshot
from gateway.contract import Comment

__all__ = ["enriched", "remembered"]


def enriched(raw: bytes, comment: Comment) -> bytes:
    """The event with `data.comment`, and all else as it was, what nobody here knows included."""
    tree: dict[str, Any] = msgspec.json.decode(raw)
    tree["data"]["comment"] = comment
    return msgspec.json.encode(tree)


def remembered(comment: Comment, snapshot: CommentSnapshot | None) -> Comment:
    """A comment that cannot be looked at, with what was last known of it.

    The hash says what a deleted comment was like. Of one that is out of reach nobody knows whether
    it still is.
    """
    if snapshot is None or comment.state == "present":
        return comment
    return replace(
        comment,
        author_id=snapshot.author_id,
        entity_type=snapshot.entity_type,
        entity_id=snapshot.entity_id,
        created_at=snapshot.created_at,
        content_hash=snapshot.content_hash if comment.state == "deleted" else None,
    )
