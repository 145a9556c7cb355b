"""The catalogue of Bitrix24's events is consistent: names, subjects, places of ids, pages."""

import re
from collections.abc import Callable

import pytest

from gateway.contract import APP_SUBJECT, ENTITY_TYPE_ID, EventType
from gateway.contract.catalogue import AREAS, CATALOGUE

A_TYPE = re.compile(r"bitrix24(\.[a-z][a-z0-9_]*){2,5}")
A_KIND = re.compile(r"[a-z][a-z0-9_]*")
A_PLACE = re.compile(r"data(\[[A-Za-z0-9_]+\]){0,4}")
A_PAGE = re.compile(r"api-reference/[A-Za-z0-9./_-]+\.html")
A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
UNDOCUMENTED = ("onSubscription", "OnCalendarRoom", "main.on.user.type.")


def by_name(name: str) -> EventType:
    return next(row for row in CATALOGUE if row.documented_name == name)


@pytest.mark.parametrize(
    "name_of",
    [lambda row: row.wire_name, lambda row: row.type, lambda row: row.short_name],
    ids=["wire name", "type", "short name"],
)
def test_no_two_rows_have_the_same_name(name_of: Callable[[EventType], str]) -> None:
    names = [name_of(row) for row in CATALOGUE]

    assert len(set(names)) == len(names)


def test_the_areas_have_each_row_once() -> None:
    assert [row for rows in AREAS.values() for row in rows] == list(CATALOGUE)


def test_names_are_well_formed() -> None:
    for row in CATALOGUE:
        numbered = row.entity_type_places != ()
        assert (ENTITY_TYPE_ID in row.type) is numbered, row
        assert (ENTITY_TYPE_ID in row.subject_kind) is numbered, row
        assert A_TYPE.fullmatch(row.type.replace(ENTITY_TYPE_ID, "x31")), row
        assert A_KIND.fullmatch(row.subject_kind.replace(f".{ENTITY_TYPE_ID}", "")), row
        assert A_NAME.fullmatch(row.documented_name), row
        assert row.short_name.partition(".")[2] == row.type.rpartition(".")[2], row


def test_places_are_written_as_php_writes_them() -> None:
    for row in CATALOGUE:
        others = [place for _, place in row.other_subjects]
        places = [*row.id_places, *row.entity_type_places, *others]
        assert all(A_PLACE.fullmatch(place) for place in places), row
        assert len(set(places)) == len(places), row


def test_a_page_of_the_reference_is_named_or_there_is_none() -> None:
    for row in CATALOGUE:
        has_none = row.documented_name.startswith(UNDOCUMENTED)
        assert bool(A_PAGE.fullmatch(row.page)) is not has_none, row


def test_what_is_about_the_application_is_not_asked_of_the_queue() -> None:
    for row in CATALOGUE:
        is_about_it = row.subject_kind == APP_SUBJECT or row.subject_kind.startswith("app_")
        assert row.is_queued_offline is not is_about_it, row
        assert (row.scope == "") is is_about_it, row


def test_a_kind_of_subject_has_ids_in_all_of_its_rows_or_in_none() -> None:
    """Else events of one thing would be on two partitions."""
    with_ids = {row.subject_kind for row in CATALOGUE if row.id_places}

    assert with_ids.isdisjoint(row.subject_kind for row in CATALOGUE if not row.id_places)


@pytest.mark.parametrize(
    ("name", "event_type", "kind", "places"),
    [
        ("onCrmDealUpdate", "bitrix24.crm.deal.updated", "deal", ["data[FIELDS][ID]"]),
        ("onCrmDealMoveToCategory", "bitrix24.crm.deal.moved", "deal", ["data[FIELDS][ID]"]),
        (
            "onCrmDynamicItemUpdate",
            "bitrix24.crm.item.{entity_type_id}.updated",
            "item.{entity_type_id}",
            ["data[FIELDS][ID]"],
        ),
        (
            "onTaskDelete",
            "bitrix24.task.deleted",
            "task",
            ["data[FIELDS_AFTER][ID]", "data[FIELDS_BEFORE][ID]"],
        ),
        ("OnVoximplantCallEnd", "bitrix24.telephony.call.ended", "call", ["data[CALL_ID]"]),
        ("OnCalendarEntryAdd", "bitrix24.calendar.entry.added", "calendar_entry", ["data[id]"]),
        (
            "OnImConnectorLineDelete",
            "bitrix24.imconnector.line.deleted",
            "connector_line",
            ["data"],
        ),
    ],
)
def test_a_row_says_as_what_an_event_is_published(
    name: str, event_type: str, kind: str, places: list[str]
) -> None:
    row = by_name(name)

    assert (row.type, row.subject_kind, list(row.id_places)) == (event_type, kind, places)
