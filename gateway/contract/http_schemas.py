"""Describes what is told over HTTP beside events: the answers of the feed, the relay's headers."""

from typing import Any, Final

__all__ = ["PUSHED_DATA_HEADERS", "PUSHED_HEADERS", "feed_schemas"]

_SIGNED: Final[dict[str, Any]] = {
    "webhook-id": {
        "type": "string",
        "description": "The event's id, the same with each attempt.",
    },
    "webhook-timestamp": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "When this attempt was made, in seconds of Unix time.",
    },
    "webhook-signature": {
        "type": "string",
        "pattern": "^v1,[A-Za-z0-9+/]+=*( v1,[A-Za-z0-9+/]+=*)*$",
        "description": "`v1,` and the Base64 of the HMAC-SHA256 of `id.timestamp.body`, one for "
        "each secret: https://www.standardwebhooks.com",
    },
    "x-gateway-replay": {
        "const": "true",
        "description": "An operator gives old events again: rebuild state, tell nobody.",
    },
    "x-gateway-sample": {
        "const": "true",
        "description": "The sample of `gateway relay test`: answer, and do nothing.",
    },
}
_ALWAYS: Final = ["webhook-id", "webhook-timestamp", "webhook-signature"]

PUSHED_HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": _SIGNED,
    "required": _ALWAYS,
}
"""Of a request of the relay in the structured mode."""

_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time", "receivedat")
PUSHED_DATA_HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **_SIGNED,
        **{
            f"ce-{name}": {"type": "string", "description": f"The event's `{name}`; not signed."}
            for name in _ATTRIBUTES
        },
    },
    "required": [*_ALWAYS, *(f"ce-{name}" for name in _ATTRIBUTES)],
}
"""Of one in the binary mode, in which the body is the event's data alone."""


def feed_schemas(event: dict[str, Any]) -> dict[str, Any]:
    """The answers of the feed by name; `event` is the schema of any event."""
    return {
        "FeedPage": {
            "title": "FeedPage",
            "description": "A page of the feed. Keep `cursor` once its events are handled; `more` "
            "says that there is more already, of a page without events, too.",
            "type": "object",
            "properties": {
                "events": {"type": "array", "items": event},
                "cursor": {"type": "string"},
                "more": {"type": "boolean"},
            },
            "required": ["events", "cursor", "more"],
        },
        "FeedGone": {
            "title": "FeedGone",
            "description": "Events behind a cursor are missing (status 410, or `gone` in a "
            "stream); `cursor` is where the first one that there is comes next.",
            "type": "object",
            "properties": {
                "error": {"type": "string"},
                "reason": {"enum": ["trimmed", "forgotten"]},
                "cursor": {"type": "string"},
            },
            "required": ["error", "reason", "cursor"],
        },
    }
