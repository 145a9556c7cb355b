"""Describes the events of the streams as JSON Schema.

Which class an event has follows from its `type`, so that of the alternatives exactly one fits.
"""

from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec

from gateway.contract.entity_events import EntityData, EntityEvent
from gateway.contract.event_types import EVENT_TYPES
from gateway.contract.events import (
    AppEvent,
    AppType,
    CloudEvent,
    CommentEvent,
    CommentType,
    OtherEvent,
    PortalEvent,
    PortalType,
)
from gateway.contract.http_schemas import feed_schemas

__all__ = ["DESCRIBED_BY", "ENTITY_TYPES", "definitions", "json_schema"]

DESCRIBED_BY: Final[tuple[type[CloudEvent], ...]] = (
    CommentEvent,
    AppEvent,
    PortalEvent,
    EntityEvent,
    OtherEvent,
)
"""The classes of all events, each of which has its definition by its name."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OWN_CLASS: Final = (*get_args(CommentType), *get_args(AppType), *get_args(PortalType))
_OF_PORTALS: Final = r"^bitrix24\."

ENTITY_TYPES: Final = tuple(row.type for row in EVENT_TYPES if row.type not in _OWN_CLASS)
"""The types of the table that an EntityEvent may have; settings may declare others."""

_FORM_VALUE: Final = "FormValue"


def json_schema() -> dict[str, Any]:
    """The events as one JSON Schema; unknown fields and types have to be tolerated.

    Among its definitions are the answers of the feed.
    """
    either = [{"$ref": f"#/$defs/{one.__name__}"} for one in DESCRIBED_BY]
    return {
        "$schema": _DIALECT,
        "title": "Events of the Bitrix24 event gateway",
        "oneOf": either,
        "$defs": definitions("#/$defs/{name}") | feed_schemas({"$ref": "#"}),
    }


def definitions(ref_template: str) -> dict[str, Any]:
    """The events and what they are made of, by name; they refer to each other by the template.

    A description is a class's docstring, which Python before 3.13 leaves indented as it stands in
    the source: here it is alike on every Python.
    """
    _, found = msgspec.json.schema_components(DESCRIBED_BY, ref_template=ref_template)
    for definition in found.values():
        definition["description"] = cleandoc(definition["description"])
    for event in DESCRIBED_BY:
        definition = found[event.__name__]
        # Readers do without it, and CloudEvents do not.
        definition["required"] = ["specversion", *definition["required"]]
    found[EntityEvent.__name__]["properties"]["type"] = {
        "type": "string",
        "pattern": _OF_PORTALS,
        "not": {"enum": list(_OWN_CLASS)},
        "description": "One of the catalogue, which is given here as examples, or declared in the "
        "settings. In the place of {entity_type_id} stands the number of a smart process.",
        "examples": list(ENTITY_TYPES),
    }
    found[OtherEvent.__name__]["properties"]["type"] = {
        "type": "string",
        "not": {"pattern": _OF_PORTALS},
    }
    found[_FORM_VALUE] = _form_value(ref_template.format(name=_FORM_VALUE))
    found[EntityData.__name__]["properties"]["fields"] = {
        "type": "object",
        "additionalProperties": {"$ref": ref_template.format(name=_FORM_VALUE)},
    }
    return found


def _form_value(own: str) -> dict[str, Any]:
    return {
        "title": _FORM_VALUE,
        "description": "A value of a form, as PHP reads it: text, or more of them by number or "
        "name.",
        "oneOf": [
            {"type": "string"},
            {"type": "array", "items": {"$ref": own}},
            {"type": "object", "additionalProperties": {"$ref": own}},
        ],
    }
