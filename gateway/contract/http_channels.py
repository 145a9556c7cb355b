"""Describes what is read over HTTP as channels of an AsyncAPI document: relay and feed.

https://github.com/asyncapi/bindings/blob/master/http/README.md
"""

from typing import Any, Final

from gateway.contract.http_schemas import PUSHED_DATA_HEADERS, PUSHED_HEADERS

__all__ = ["http_channels", "http_messages", "http_operations", "security_schemes"]

_BINDING: Final = "0.3.0"
_JSON: Final = "application/json"
_QUERY: Final[dict[str, Any]] = {
    "after": {
        "type": "string",
        "default": "newest",
        "description": "A cursor, `oldest` or `newest`.",
    },
    "types": {"type": "string", "description": "Types with `*` for any text, and commas between."},
    "portal": {"type": "string", "description": "The member_id of a portal, or several."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "wait": {
        "type": "number",
        "minimum": 0,
        "maximum": 60,
        "default": 0,
        "description": "How many seconds to wait if there is no event.",
    },
}
_OF_STREAMS: Final = ("after", "types", "portal")


def http_channels() -> dict[str, Any]:
    """The channels by name."""
    return {
        "pushed": {
            "address": None,  # whatever [[relay.endpoints]] says
            "description": "A POST to your URL for each event, signed as Standard Webhooks. Answer "
            "2xx once it is stored; anything else comes again. By `mode` of the endpoint it is "
            "the event, or its data with its attributes in headers.",
            "messages": _references("PushedEvent", "PushedData"),
        },
        "feed": {
            "address": "/events",
            "description": "Pages of the feed, with waiting for what comes.",
            "messages": _references("FeedPage", "FeedGone"),
        },
        "feedStream": {
            "address": "/events/stream",
            "description": "The same as Server-Sent Events. The data of each is an event, its id "
            "a cursor; one of the name `gone` ends the stream, for events are missing.",
            "messages": _references("StreamedEvent", "StreamedGone"),
        },
    }


def http_operations() -> dict[str, Any]:
    """What a reading service does with each channel."""
    secured = {"security": [{"$ref": "#/components/securitySchemes/feedToken"}]}
    return {
        "takePushed": _operation("pushed", {"method": "POST"}),
        "readFeed": _operation("feed", {"method": "GET", "query": _query(*_QUERY)}) | secured,
        "followFeed": _operation("feedStream", {"method": "GET", "query": _query(*_OF_STREAMS)})
        | secured,
    }


def http_messages(event: dict[str, Any], *, structured: str) -> dict[str, Any]:
    """The messages by name; `event` is the schema of any event, `structured` its content type."""
    return {
        "PushedEvent": {"contentType": structured, "headers": PUSHED_HEADERS, "payload": event},
        "PushedData": {
            "contentType": _JSON,
            "headers": PUSHED_DATA_HEADERS,
            "payload": {"type": "object", "description": "The event's `data`."},
        },
        "FeedPage": _answer("FeedPage", status=200),
        "FeedGone": _answer("FeedGone", status=410),
        "StreamedEvent": {"contentType": structured, "payload": event},
        "StreamedGone": {
            "contentType": _JSON,
            "payload": {"$ref": "#/components/schemas/FeedGone"},
        },
    }


def security_schemes() -> dict[str, Any]:
    """How a reader of the feed shows who it is."""
    return {
        "feedToken": {
            "type": "http",
            "scheme": "bearer",
            "description": "What `consumers feed token` has made.",
        }
    }


def _references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operation(channel: str, binding: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {"http": {**binding, "bindingVersion": _BINDING}},
    }


def _query(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: _QUERY[name] for name in names}}


def _answer(schema: str, *, status: int) -> dict[str, Any]:
    return {
        "contentType": _JSON,
        "payload": {"$ref": f"#/components/schemas/{schema}"},
        "bindings": {"http": {"statusCode": status, "bindingVersion": _BINDING}},
    }
