"""Makes the event on `comments` out of an event and what is known of its object. Pure."""

from typing import Any

import msgspec
from msgspec.structs import replace

from consumers.enricher.snapshots import CommentSnapshot, ObjectSnapshot
from gateway.bitrix24.fetch_methods import Fetched
from gateway.contract import Comment

__all__ = ["enriched", "remembered"]


def enriched(raw: bytes, fetched: Fetched) -> bytes:
    """The event with `data.comment` or `data.object`, and all else as it was, what nobody here
    knows included.
    """
    tree: dict[str, Any] = msgspec.json.decode(raw)
    tree["data"]["comment" if isinstance(fetched, Comment) else "object"] = fetched
    return msgspec.json.encode(tree)


def remembered(fetched: Fetched, snapshot: CommentSnapshot | ObjectSnapshot | None) -> Fetched:
    """What cannot be looked at, with what was last known of it.

    The hash says what a deleted one was like. Of one that is out of reach nobody knows whether it
    still is.
    """
    if snapshot is None or fetched.state == "present":
        return fetched
    content_hash = snapshot.content_hash if fetched.state == "deleted" else None
    if isinstance(fetched, Comment) and isinstance(snapshot, CommentSnapshot):
        return replace(
            fetched,
            author_id=snapshot.author_id,
            entity_type=snapshot.entity_type,
            entity_id=snapshot.entity_id,
            created_at=snapshot.created_at,
            content_hash=content_hash,
        )
    if not isinstance(fetched, Comment) and isinstance(snapshot, ObjectSnapshot):
        return replace(fetched, fields=snapshot.fields, content_hash=content_hash)
    return fetched
