"""The documents for other languages say what the code does."""

import json
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from jsonschema import Draft202012Validator

from consumers.testing import app_event, comment_event, portal_event
from gateway.contract import (
    Comment,
    EntityData,
    EntityEvent,
    Event,
    FetchedObject,
    OtherEvent,
    decode_event,
    encode_event,
    source_of,
)
from gateway.contract.asyncapi import asyncapi
from gateway.contract.json_schema import DESCRIBED_BY, json_schema
from gateway.contract.schema import files

KEPT: Final = Path(__file__).parents[2] / "docs" / "schema"
ENTITY: Final = EntityEvent(
    id="0197c0de-0000-7000-8000-000000000001",
    source=source_of("portal"),
    type="bitrix24.crm.deal.updated",
    subject="deal/77",
    time="2026-01-31T10:00:00Z",
    receivedat="2026-01-31T10:00:00.412Z",
    data=EntityData(
        member_id="portal",
        domain="portal.bitrix24.example",
        fields={"FIELDS": {"ID": "77"}, "LIST": ["1", {"A": ""}]},
    ),
)


VALIDATOR: Final = Draft202012Validator(json_schema())
OF_CLASSES: Final = {
    one.__name__: Draft202012Validator(
        {"$ref": f"#/$defs/{one.__name__}", "$defs": json_schema()["$defs"]}
    )
    for one in DESCRIBED_BY
}


def plain(event: object) -> dict[str, Any]:
    """A struct as it is published."""
    read: dict[str, Any] = json.loads(msgspec.json.encode(event))
    return read


def published() -> Iterator[Event]:
    """An event of each kind, with and without what may be absent."""
    yield comment_event(7)
    yield comment_event(7, "deleted", user_id=None, comment=Comment(state="deleted"))
    yield comment_event(2**63 - 1, comment=Comment(state="present", text="x", files=()))
    yield app_event()
    yield app_event("tested")
    yield portal_event()
    yield portal_event("token_expiring", is_over=True)
    yield ENTITY
    yield changed(data={"object": plain(FetchedObject(state="unavailable", reason="gone"))})
    yield changed(data={"fields": {}, "user_id": 7, "event_handler_id": 185})
    yield changed(type="bitrix24.acme.order.updated", subject="order", recovered=True)
    yield decode_event(
        encode_event(
            OtherEvent(
                **{name: getattr(ENTITY, name) for name in ("id", "source", "time", "receivedat")},
                type="gateway.balance",
                subject="gateway",
                data={"balanced": True},
            )
        )
    )


def changed(*, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """The event of an entity with something else in it."""
    event = plain(ENTITY) | attributes
    event["data"] = event["data"] | (data or {})
    return decode_event(json.dumps(event).encode())


each_published = pytest.mark.parametrize(
    "event", list(published()), ids=lambda event: f"{event.type}-{event.subject}"
)


@pytest.mark.parametrize("name", sorted(files()))
def test_what_is_kept_is_what_the_code_says(name: str) -> None:
    assert (KEPT / name).read_text() == files()[name], "run `make docs`"


def test_no_description_is_as_indented_as_a_docstring_before_python_3_13() -> None:
    told = {name: one["description"] for name, one in json_schema()["$defs"].items()}

    assert told == {name: cleandoc(text) for name, text in told.items()}


def test_all_schemas_are_ones() -> None:
    Draft202012Validator.check_schema(json_schema())
    for schema in asyncapi()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@each_published
def test_what_is_published_fits_its_class_alone(event: Event) -> None:
    VALIDATOR.validate(plain(event))

    fits = [name for name, one in OF_CLASSES.items() if one.is_valid(plain(event))]
    assert fits == [type(event).__name__]


@each_published
def test_fields_that_nobody_knows_are_tolerated(event: Event) -> None:
    later = plain(event) | {"partitionkey": "portal"}
    later["data"] |= {"since_version_2": {"a": [1, None]}}

    VALIDATOR.validate(later)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("bitrix24.crm.deal.updated", {"fields": {}}),  # of which portal?
        ("bitrix24.crm.deal.updated", {"member_id": "p", "domain": "d"}),  # what did the form say?
        ("bitrix24.crm.deal.updated", {"member_id": "p", "domain": "d", "fields": {"ID": 77}}),
        ("bitrix24.crm.deal.updated", {"member_id": "p", "domain": "d", "fields": [["ID", "77"]]}),
        (
            "bitrix24.crm.deal.updated",
            {"member_id": "p", "domain": "d", "fields": {}, "object": {"state": "moved"}},
        ),
        ("bitrix24.crm.timeline.comment.added", {"member_id": "p", "domain": "d", "fields": {}}),
        ("bitrix24.app.installed", {"fields": {}}),
        ("bitrix24.portal.silent", {"member_id": "p", "domain": "d", "fields": {}}),
        ("gateway.balance", []),
        ("gateway.balance", "text"),
    ],
)
def test_what_is_never_published_is_refused(type_: str, data: object) -> None:
    assert VALIDATOR.is_valid(plain(ENTITY))

    assert not VALIDATOR.is_valid(plain(ENTITY) | {"type": type_, "data": data})


@pytest.mark.parametrize(
    "without", ["specversion", "id", "source", "type", "subject", "time", "receivedat", "data"]
)
def test_what_every_event_has_is_required(without: str) -> None:
    event = plain(ENTITY)
    del event[without]

    assert not VALIDATOR.is_valid(event)


def test_an_id_has_64_bits() -> None:
    event = plain(comment_event(2**63 - 1))
    assert VALIDATOR.is_valid(event)

    event["data"]["comment_id"] += 1
    assert not VALIDATOR.is_valid(event)
