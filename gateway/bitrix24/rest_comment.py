"""Makes the contract's `Comment` of a comment as a portal's methods return it; no I/O.

https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/crm-timeline-comment-get.html
and `…-list.html` return the same fields. Documentation and portals disagree on their types: numbers
come as strings too, and FILES is a map, a list, or not there. Whatever is missing or is not what
it should be is left out, so that one odd field costs no comment.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from gateway.bitrix24.answers import members_of
from gateway.bitrix24.bbcode import rendered, with_emoji
from gateway.contract import Comment, CommentFile, timestamps
from gateway.php_numbers import integer_of

__all__ = [
    "MAX_FILES",
    "MAX_TEXT_CHARS",
    "NotAComment",
    "comment_id_of",
    "comment_of",
    "content_hash_of",
]

MAX_TEXT_CHARS: Final = 100_000
"""More than any portal in the cloud keeps of a comment (65,535 bytes), and some forty pages. With
the plain text, which is at most twice as long, an event stays below two megabytes of JSON whatever
is in it, and what stores, sends or shows it need not provide for more."""
MAX_FILES: Final = 100
_MAX_NAME_CHARS: Final = 255


class NotAComment(ValueError):
    """What came is no comment, whatever it is."""


def comment_of(tree: Any, *, fetched_at: datetime) -> Comment:
    """The comment in a result of `crm.timeline.comment.get`, or in a row of `….list`.

    Of a text that is longer than `MAX_TEXT_CHARS`, and of more files than `MAX_FILES`, it has the
    beginning, and says so in `cut`; the hash is over all of it. Raises NotAComment. Addresses of
    files are left out: they open in a browser in which a user of
    the portal is logged in, and some forms of them hold a key.
    """
    if not isinstance(tree, dict) or comment_id_of(tree) is None:
        raise NotAComment("the portal's answer is not a comment")
    whole_text = with_emoji(_text(tree.get("COMMENT")))
    text = whole_text[:MAX_TEXT_CHARS]
    entity_type = _text(tree.get("ENTITY_TYPE")).lower()
    files = _files(tree.get("FILES"))
    return Comment(
        state="present",
        text=text,
        text_plain=rendered(text, "plain"),
        author_id=integer_of(tree.get("AUTHOR_ID")),
        entity_type=entity_type[:_MAX_NAME_CHARS] or None,
        entity_id=integer_of(tree.get("ENTITY_ID")),
        created_at=_created_at(tree.get("CREATED")),
        files=files[:MAX_FILES],
        fetched_at=timestamps.milliseconds_of(fetched_at),
        content_hash=content_hash_of(whole_text, files),
        cut=(*(["text"] if text != whole_text else []), *(["files"] if files[MAX_FILES:] else [])),
    )


def comment_id_of(tree: Any) -> int | None:
    """The id of the comment in a result or a row; None if there is none."""
    return integer_of(tree.get("ID")) if isinstance(tree, dict) else None


def content_hash_of(text: str, files: Sequence[CommentFile]) -> str:
    """SHA-256, in hexadecimal, of the text and of which files are attached.

    Equal for equal contents, whichever method they came by and in whichever order the files did.
    Not more than that: who wrote it and what it is about do not change, and a file's name does
    without anybody's editing the comment.
    """
    return sha256(msgspec.json.encode([text, sorted(file.id for file in files)])).hexdigest()


def _files(tree: Any) -> tuple[CommentFile, ...]:
    """The files, in the order of their ids. In a map the key is the id, too."""
    keys = tree if isinstance(tree, dict) else {}
    found = {}
    for key, file in members_of(tree).items():
        if not isinstance(file, dict):
            continue
        file_id = integer_of(file.get("id", key if key in keys else None), least=0)
        if file_id is not None:
            found[file_id] = CommentFile(
                id=file_id,
                name=_text(file.get("name"))[:_MAX_NAME_CHARS],
                type=_text(file.get("type"))[:_MAX_NAME_CHARS],
                size=integer_of(file.get("size"), least=0),
                author_id=integer_of(file.get("authorId")),
                created_at=_created_at(file.get("date")),
            )
    return tuple(found[file_id] for file_id in sorted(found))


def _text(value: Any) -> str:
    """A text; PHP may send one that looks like a number as a number."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _created_at(value: Any) -> str | None:
    """A time with an offset, in UTC and whole seconds; None for one without, or none at all."""
    try:
        return timestamps.seconds_of(timestamps.moment_of(_text(value)))
    except ValueError:
        return None
