"""Writes the contract for other languages: JSON Schema of the events, and AsyncAPI of the streams.

`python -m gateway.contract.schema DIRECTORY` writes them; they are kept in docs/schema, and a test
compares. https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from gateway.contract.dead_letters import DeadLetter
from gateway.contract.event_types import EVENT_TYPES
from gateway.contract.events import (
    AppEvent,
    AppType,
    CloudEvent,
    CommentEvent,
    CommentType,
    OtherEvent,
    PortalEvent,
)
from gateway.contract.streams import Streams

__all__ = ["asyncapi", "files", "json_schema"]

_EVENTS: Final = (CommentEvent, AppEvent, PortalEvent)
_DESCRIBED: Final = get_args(CommentType) + get_args(AppType)
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The events as one JSON Schema; unknown fields and types have to be tolerated."""
    either, definitions = _components("#/$defs/{name}")
    return {
        "$schema": _DIALECT,
        "title": "Events of the Bitrix24 event gateway",
        "oneOf": list(either),
        "$defs": definitions,
    }


def asyncapi() -> dict[str, Any]:
    """The streams as an AsyncAPI document."""
    streams = Streams()
    _, definitions = _components("#/components/schemas/{name}")
    messages = {
        event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in _events()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bitrix24 event gateway",
            "version": "1.0.0",
            "description": "Redis Streams. Each entry has the field `event`: a CloudEvent 1.0 in "
            "the structured JSON mode. Ignore fields and types that you do not know.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
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
                "looked like. A second field `kind` with the value `replay` marks one that was "
                "there before: rebuild state from it, and tell nobody.",
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
        },
        "operations": {
            f"read{name.capitalize()}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in ("events", "comments", "dead")
        },
        "components": {
            "messages": {
                name: {
                    "contentType": "application/cloudevents+json",
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for name in messages
            },
            "schemas": definitions,
        },
    }


def _events() -> tuple[type[CloudEvent], ...]:
    """What is on the streams, as classes: OtherEvent only if the table has rows without one."""
    return (*_EVENTS, OtherEvent) if _undescribed() else _EVENTS


def _undescribed() -> list[str]:
    """The types of the table that have no class of their own."""
    return [row.type for row in EVENT_TYPES if row.type not in _DESCRIBED]


def _components(ref_template: str) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """The schemas of the events: references, and what they refer to by name.

    A description is a class's docstring, which Python before 3.13 leaves indented as it stands in
    the source: here it is alike on every Python.
    """
    either, definitions = msgspec.json.schema_components(_events(), ref_template=ref_template)
    if others := _undescribed():
        definitions[OtherEvent.__name__]["properties"]["type"] = {"enum": others}
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])
    return either, definitions


def files() -> dict[str, str]:
    """The documents by file name, as text."""
    documents = {"events.schema.json": json_schema(), "asyncapi.json": asyncapi()}
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }


_PARAMETERS: Final = {
    "partition": {
        "description": "From 0 up to the number of partitions; the braces around it in the key "
        "itself are part of the key."
    }
}


def _address(key: str) -> str:
    """A key as an address: AsyncAPI's braces stand for the number and the key's braces."""
    return key.replace("{0}", "{partition}")


def main(directory: Path) -> None:
    """Write the documents."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
