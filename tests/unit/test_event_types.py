"""The table of event types is whole, and nothing else in the source says what it says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from gateway.contract import (
    APP_SUBJECT,
    COMMENT_SUBJECT,
    EVENT_TYPES,
    AppType,
    CommentType,
    EventType,
    types_about,
    wire_name_of,
)
from gateway.inbound.form_fields import FIELD_PLACES
from gateway.sandbox.bodies import EVENTS

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "gateway" / "contract"
TABLE = {CONTRACT / "event_types.py", *(CONTRACT / "catalogue").glob("*.py")}
NAME_OF_AN_EVENT = re.compile(r"on(crm|app|offline)[a-z]+", re.IGNORECASE)


def literals(path: Path) -> Iterator[str]:
    """The strings of a module, without those in which an expression stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_names_of_events_stand_in_the_table_alone() -> None:
    elsewhere = {
        (str(path.relative_to(ROOT)), literal)
        for package in ("gateway", "consumers")
        for path in (ROOT / package).rglob("*.py")
        if path not in TABLE
        for literal in literals(path)
        if NAME_OF_AN_EVENT.fullmatch(literal)
    }

    assert not elsewhere


@pytest.mark.parametrize("attribute", ["wire_name", "type", "short_name"])
def test_no_two_rows_have_the_same_name(attribute: str) -> None:
    names = [getattr(row, attribute) for row in EVENT_TYPES]

    assert len(set(names)) == len(names)


def test_the_rows_with_data_of_their_own_are_the_types_that_the_contract_describes() -> None:
    assert tuple(row.type for row in types_about(COMMENT_SUBJECT)) == get_args(CommentType)
    assert {row.type for row in types_about(APP_SUBJECT)} == set(get_args(AppType))


@pytest.mark.parametrize("row", types_about(COMMENT_SUBJECT), ids=lambda row: row.short_name)
def test_the_id_of_a_comment_stands_where_forms_are_read_first(row: EventType) -> None:
    assert set(row.id_places) <= set(FIELD_PLACES.values())


@pytest.mark.parametrize("row", EVENT_TYPES, ids=lambda row: row.short_name)
def test_the_sandbox_can_send_each(row: EventType) -> None:
    assert EVENTS[row.short_name].name == row.documented_name


def test_a_type_that_bitrix24_does_not_send_has_no_name_there() -> None:
    with pytest.raises(KeyError):
        wire_name_of("bitrix24.portal.silent")
