"""Makes the cases about timeline comments."""

from typing import Any, Final

from consumers.checking.case import Case, made_event
from consumers.checking.repeated_cases import repeated_cases
from gateway.bitrix24.rest_comment import MAX_FILES, MAX_TEXT_CHARS
from gateway.contract import COMMENT_ADDED, COMMENT_DELETED, COMMENT_UPDATED

__all__ = ["comment_cases"]

_ABOUT_IT: Final = ("author_id", "entity_type", "entity_id", "created_at")
_LARGEST: Final = 2**63 - 1
_TRACEPARENT: Final = f"00-{'1' * 32}-{'2' * 16}-01"
_ODD: Final = (
    "\0 \x1b[31m \r\n\u2028 \u202eabc\u202c \ufeff \U0001f600 e\u0301 "
    "<script>alert(1)</script> {{ 7*7 }} %s ' \" \\ '); DROP TABLE comments; -- [b]open"
)
_PRESENT: Final[dict[str, Any]] = {
    "state": "present",
    "text": "The [b]offer[/b] is accepted",
    "text_plain": "The offer is accepted",
    "author_id": 7,
    "entity_type": "deal",
    "entity_id": 77,
    "created_at": "2026-01-31T10:00:00Z",
    "files": [],
    "fetched_at": "2026-01-31T10:00:01Z",
    "content_hash": "5a1e0f3c5a1e0f3c5a1e0f3c5a1e0f3c",
    "reason": None,
    "cut": [],
}
_NOTHING: Final = dict.fromkeys(_PRESENT) | {"files": [], "cut": []}


class _Comments:
    """Makes events of comments as they stand on one of the streams."""

    def __init__(self, stream: str) -> None:
        self.is_enriched = stream != "events"

    def event(
        self,
        event_type: str = COMMENT_UPDATED,
        comment: dict[str, Any] | None = None,
        *,
        comment_id: int = 999,
        user_id: int | None = 7,
        event_handler_id: int | None = 185,
        attributes: dict[str, Any] | None = None,
        **data: Any,
    ) -> bytes:
        """An event; `comment` is what there is to say of it beside what there usually is."""
        own: dict[str, Any] = {
            "comment_id": comment_id,
            "user_id": user_id,
            "event_handler_id": event_handler_id,
            **data,
        }
        if self.is_enriched:
            own["comment"] = _PRESENT | (comment or {})
        return made_event(event_type, f"comment/{comment_id}", own, **(attributes or {}))


def comment_cases(stream: str) -> list[Case]:
    """The cases as the stream has them: `events` knows nothing of what a comment looks like."""
    comments = _Comments(stream)
    cases = [*_of_all_streams(comments), *repeated_cases("comment", comments.event)]
    return [*cases, *_of_states(comments), *_of_texts(comments)] if comments.is_enriched else cases


def _of_all_streams(comments: _Comments) -> list[Case]:
    event = comments.event
    return [
        Case(
            name="comment",
            about="a comment is added, updated and deleted",
            events=(event(COMMENT_ADDED), event(), event(COMMENT_DELETED, {"state": "deleted"})),
        ),
        Case(
            name="comment-no-user",
            about="user_id and event_handler_id are null: a robot acted, or a webhook told it",
            events=(event(user_id=None, event_handler_id=None),),
        ),
        Case(
            name="comment-bare",
            about="all that is optional is absent",
            events=(_bare(is_enriched=comments.is_enriched),),
        ),
        Case(
            name="comment-largest-ids",
            about="ids have 64 bits",
            events=(
                event(
                    COMMENT_UPDATED,
                    {"author_id": _LARGEST, "entity_id": _LARGEST},
                    comment_id=_LARGEST,
                    user_id=_LARGEST,
                    event_handler_id=_LARGEST,
                ),
            ),
        ),
        Case(
            name="comment-deleted-first",
            about="it is deleted before it is added, and is updated after that",
            events=(event(COMMENT_DELETED, {"state": "deleted"}), event(COMMENT_ADDED), event()),
        ),
        Case(
            name="comment-unknown-id",
            about="a comment is updated and deleted of which nobody ever said that it was added",
            events=(
                event(comment_id=1),
                event(COMMENT_DELETED, {"state": "deleted"}, comment_id=2),
            ),
        ),
        _of_later_versions(comments),
    ]


def _of_later_versions(comments: _Comments) -> Case:
    event = comments.event(
        COMMENT_UPDATED,
        {"reactions": [{"user_id": 7, "kind": "like"}]},
        attributes={"partitionkey": "77", "traceparent": _TRACEPARENT},
        application={"id": 5, "name": None},
    )
    about = "a later version has more attributes, and more fields everywhere"
    return Case(name="comment-future", about=about, events=(event,))


def _of_states(comments: _Comments) -> list[Case]:
    event = comments.event
    last_known = {"state": "deleted", "text": "Was here", "text_plain": "Was here"}
    return [
        Case(
            name="comment-deleted",
            about="it is deleted, and what was last known of it is there",
            events=(event(COMMENT_DELETED, last_known),),
        ),
        Case(
            name="comment-deleted-unknown",
            about="it is deleted, and nothing is known of it: all is null",
            events=(event(COMMENT_DELETED, _NOTHING | {"state": "deleted"}),),
        ),
        Case(
            name="comment-gone-when-fetched",
            about="it is added, and was deleted before it could be fetched",
            events=(event(COMMENT_ADDED, _NOTHING | {"state": "deleted"}),),
        ),
        Case(
            name="comment-unavailable",
            about="it could not be fetched: state is unavailable, and the text null",
            events=tuple(
                event(one, _NOTHING | {"state": "unavailable", "reason": "no_credentials"})
                for one in (COMMENT_ADDED, COMMENT_UPDATED)
            ),
        ),
        Case(
            name="comment-no-entity",
            about="nobody knows on whose timeline it is, nor who wrote it",
            events=(event(COMMENT_UPDATED, dict.fromkeys(_ABOUT_IT)),),
        ),
    ]


def _of_texts(comments: _Comments) -> list[Case]:
    event = comments.event
    files = [
        {"id": number, "name": "", "type": "", "size": None, "author_id": None}
        for number in range(1, MAX_FILES + 1)
    ]
    longest = "\u0436" * MAX_TEXT_CHARS
    cut = {"text": longest, "text_plain": longest, "cut": ["text", "files"]}
    return [
        Case(
            name="comment-empty-text",
            about="it has no text, only files, whose names are empty and whose sizes are unknown",
            events=(event(COMMENT_ADDED, {"text": "", "text_plain": "", "files": files}),),
        ),
        Case(
            name="comment-odd-text",
            about="its text has control characters, quotes, other alphabets, HTML and NUL",
            events=(event(COMMENT_UPDATED, {"text": _ODD, "text_plain": _ODD}),),
        ),
        Case(
            name="comment-long-text",
            about=f"its text is as long as can be, {MAX_TEXT_CHARS:,} characters, and cut",
            events=(event(COMMENT_UPDATED, cut),),
        ),
    ]


def _bare(*, is_enriched: bool) -> bytes:
    data: dict[str, Any] = {"comment_id": 999}
    if is_enriched:
        data["comment"] = {"state": "present"}
    return made_event(COMMENT_UPDATED, "comment/999", data)
