"""Writes the answers of the feed: pages, and what went wrong in a sentence. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from consumers.feed.cursor import Cursors, ReadPlace
from consumers.feed.lost_entries import LostReason
from consumers.feed.page_reading import FeedPage

__all__ = ["gone_answer", "json_answer", "page_answer", "refusal"]

_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_GONE: Final[dict[LostReason, str]] = {
    "trimmed": "events behind this cursor were removed, for their time was over: some are missing",
    "forgotten": "Redis does not know what was read up to this cursor, as after a failover: "
    "events may be missing",
}


def page_answer(page: FeedPage, cursors: Cursors, *, has_texts: bool) -> web.Response:
    """A page as JSON; events stand in it as they are on the stream."""
    events = b",".join([entry.json(has_texts=has_texts) for entry in page.entries])
    more = b"true" if page.is_more else b"false"
    body = b'{"events":[%s],"cursor":"%s","more":%s}' % (
        events,
        cursors.written(page.places).encode(),
        more,
    )
    return web.Response(body=body, headers=_HEADERS)


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Any other answer."""
    body = msgspec.json.encode(value) + b"\n"
    return web.Response(status=status, body=body, headers={**_HEADERS, **(headers or {})})


def refusal(status: int, why: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """What was wrong, in a sentence."""
    return json_answer({"error": why}, status=status, headers=headers)


def gone_answer(
    reason: LostReason, cursors: Cursors, resume: Sequence[ReadPlace]
) -> dict[str, str]:
    """What somebody is told who cannot go on; `cursor` is where they can, with what is missing."""
    return {"error": _GONE[reason], "reason": reason, "cursor": cursors.written(resume)}
