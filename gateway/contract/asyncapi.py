"""Describes what a consuming service can read, and how, as an AsyncAPI document.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from typing import Any, Final

from gateway.contract.dead_letters import DeadLetter
from gateway.contract.http_channels import (
    http_channels,
    http_messages,
    http_operations,
    security_schemes,
)
from gateway.contract.http_schemas import feed_schemas
from gateway.contract.json_schema import DESCRIBED_BY, definitions
from gateway.contract.streams import Streams

__all__ = ["asyncapi"]

_STRUCTURED: Final = "application/cloudevents+json"
_OF_STREAMS: Final = ("events", "comments", "dead")
_EVENTS: Final = tuple(event.__name__ for event in DESCRIBED_BY)
_PARAMETERS: Final = {
    "partition": {
        "description": "From 0 up to the number of partitions; the braces around it in the key "
        "itself are part of the key."
    }
}


def asyncapi() -> dict[str, Any]:
    """Streams, relay and feed as an AsyncAPI document, from the side of whoever reads them."""
    event = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _EVENTS]}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bitrix24 event gateway",
            "version": "1.0.0",
            "description": "Redis Streams, of which each entry has the field `event`: a "
            "CloudEvent 1.0 in the structured JSON mode; and the same events over HTTP, pushed by "
            "the relay and read from the feed. Ignore fields and types that you do not know.",
        },
        "defaultContentType": _STRUCTURED,
        "channels": _streams() | http_channels(),
        "operations": {
            f"read{name.capitalize()}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in _OF_STREAMS
        }
        | http_operations(),
        "components": {
            "messages": {
                name: {
                    "contentType": _STRUCTURED,
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for name in _EVENTS
            }
            | http_messages(event, structured=_STRUCTURED),
            "schemas": definitions("#/components/schemas/{name}") | feed_schemas(event),
            "securitySchemes": security_schemes(),
        },
    }


def _streams() -> dict[str, Any]:
    """The channels that are Redis Streams."""
    streams = Streams()
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in _EVENTS}
    return {
        "events": {
            "address": _address(streams.key("events", 0)),
            "description": "Everything that was received, as it was received, and what "
            "the gateway noticed about portals.",
            "parameters": _PARAMETERS,
            "messages": messages,
        },
        "comments": {
            "address": _address(streams.key("comments", 0)),
            "description": "The same, events of comments with `data.comment`, what the comment "
            "looked like, and those of entities that are fetched with `data.object`. A second "
            "field `kind` with the value `replay` marks one that was there before: rebuild state "
            "from it, and tell nobody.",
            "parameters": _PARAMETERS,
            "messages": messages,
        },
        "dead": {
            "address": _address(streams.dead("GROUP", 0)).replace("GROUP", "{group}"),
            "description": "What a group could not handle. Not one field `event` but these: "
            + ", ".join(f"`{name}`" for name in DeadLetter.__struct_fields__)
            + ".",
            "parameters": {**_PARAMETERS, "group": {"description": "The group's name."}},
            "messages": messages,
        },
    }


def _address(key: str) -> str:
    """A key as an address: AsyncAPI's braces stand for the number and the key's braces."""
    return key.replace("{0}", "{partition}")
