"""Events that are not about comments have a table of their own."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.testing import app_event, portal_event
from consumers.warehouse.event_rows import Unfit
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import EventSubject, FetchedObject
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import (
    PORTAL,
    START,
    StreamEntry,
    Target,
    deal_entry,
    entry,
    load,
)

OTHER_PORTAL = "020b6886ebc205e43ae65000ee00addb"
PRESENT = FetchedObject(
    state="present",
    fields={"id": 77, "title": 'A "deal", 10\xa0000 ₽', "opportunity": "5000.50"},
    fetched_at="2025-12-18T08:00:01.000Z",
    content_hash="a hash",
    cut=("comments",),
)


def test_a_row_has_what_the_event_and_the_portal_said(warehouse: Warehouse, target: Target) -> None:
    load(warehouse, deal_entry(fields={"FIELDS": {"ID": "77", "a": [""]}}, found=PRESENT))

    columns = (
        "type, member_id, subject_kind, subject_id, user_id, is_recovered, fields, object_state, "
        "object, object_hash, object_cut, unavailable_reason"
    )
    (row,) = target.dicts(f"SELECT {columns} FROM bitrix24.events")
    for name in ("fields", "object", "object_cut"):
        row[name] = parsed(row[name])
    assert row == {
        "type": "bitrix24.crm.deal.updated",
        "member_id": PORTAL,
        "subject_kind": "deal",
        "subject_id": "77",
        "user_id": 7,
        "is_recovered": False,
        "fields": {"FIELDS": {"ID": "77", "a": [""]}},
        "object_state": "present",
        "object": PRESENT.fields,
        "object_hash": "a hash",
        "object_cut": ["comments"],
        "unavailable_reason": None,
    }
    assert target.ask("SELECT received_at, object_fetched_at FROM bitrix24.events") == [
        (START, START + timedelta(seconds=1))
    ]


def test_an_event_that_goes_out_again_replaces_its_row(
    warehouse: Warehouse, target: Target
) -> None:
    late = FetchedObject(state="unavailable", reason="timeout")
    first = deal_entry(found=late, event_id="11a20494-9c64-778b-8087-751bc8de69fe")
    again = deal_entry(found=PRESENT, event_id=first.event.id)
    load(warehouse, first, entry("added"))
    load(warehouse, again, first, again)

    assert target.ask("SELECT object_state, unavailable_reason FROM bitrix24.events") == [
        ("present", None)
    ]


def test_each_kind_of_event_has_its_row(warehouse: Warehouse, target: Target) -> None:
    """An id may be a number, a text or missing; an object fetched, gone or never asked for."""
    load(
        warehouse,
        deal_entry("chat17", found=FetchedObject(state="deleted", fields={"assignedById": 3})),
        deal_entry(None),
        StreamEntry(app_event(), "1-0"),
        StreamEntry(portal_event("silent"), "2-0"),
    )

    rows = target.ask(
        "SELECT subject_kind, subject_id, object_state FROM bitrix24.events ORDER BY 1, 2, 3"
    )
    assert sorted(rows, key=repr) == sorted(
        [
            ("app", None, None),
            ("deal", "chat17", "deleted"),
            ("deal", None, None),
            ("portal", None, None),
        ],
        key=repr,
    )
    (fields,) = target.ask("SELECT fields FROM bitrix24.events WHERE subject_kind = 'portal'")
    assert parsed(fields[0])["trouble"] == "silent"


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_where_one_row_is_refused_the_others_of_both_tables_are_loaded(
    warehouse: Warehouse, target: Target
) -> None:
    """PostgreSQL's index of members has a bound; small loads go in one session."""
    random_id = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(4_000))
    good = [entry("added", 1), deal_entry(1), deal_entry(2)]
    with pytest.raises(Unfit):
        load(warehouse, *good, deal_entry(3, member_id=random_id))

    assert target.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(1,)]
    assert target.ask("SELECT subject_id FROM bitrix24.events ORDER BY 1") == [("1",), ("2",)]


def test_nul_is_taken_out_wherever_it_stands(warehouse: Warehouse, target: Target) -> None:
    found = FetchedObject(state="present", fields={"a\0b": [{"c": "d\0e"}], "f": "\\u0000"})
    load(warehouse, deal_entry(fields={"x": "y\0"}, found=found))

    (row,) = target.ask("SELECT fields, object FROM bitrix24.events")
    assert [parsed(one) for one in row] == [{"x": "y"}, {"ab": [{"c": "de"}], "f": "\\u0000"}]


def test_of_a_portal_that_was_erased_nothing_comes_back(
    warehouse: Warehouse, target: Target
) -> None:
    came = [deal_entry(1), deal_entry(2, member_id=OTHER_PORTAL), entry("added", 3)]
    load(warehouse, *came)

    assert warehouse.erase(PORTAL, None, START + timedelta(hours=1)) == 2
    load(warehouse, *came, deal_entry(4, at_s=7200))

    assert target.ask("SELECT subject_id FROM bitrix24.events ORDER BY 1") == [("2",), ("4",)]
    assert target.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(0,)]


def test_of_a_subject_that_was_erased_nothing_comes_back_and_all_else_stays(
    warehouse: Warehouse, target: Target
) -> None:
    came = [deal_entry(7), deal_entry(8), deal_entry(7, member_id=OTHER_PORTAL), entry("added", 7)]
    load(warehouse, *came, deal_entry(7, found=PRESENT))

    assert warehouse.erase(PORTAL, EventSubject("deal", 7), START + timedelta(hours=1)) == 2
    load(warehouse, *came)

    assert target.ask("SELECT member_id, subject_id FROM bitrix24.events ORDER BY 1, 2") == [
        (PORTAL, "8"),
        (OTHER_PORTAL, "7"),
    ]
    assert target.ask("SELECT comment_id FROM bitrix24.comments") == [(7,)]
    assert target.ask("SELECT comment_id, subject, rows_erased FROM bitrix24.erasures") == [
        (0, "deal/7", 2)
    ]
    load(warehouse, deal_entry(7, at_s=7200))
    assert target.ask("SELECT COUNT(*) FROM bitrix24.events") == [(3,)], "what comes later does"


def test_a_warehouse_of_the_release_before_gets_the_table_and_keeps_its_rows(
    ready: Target, tmp_path: Path, change: Callable[[str], None]
) -> None:
    with database_of(ready, tmp_path / "work") as database:
        load(Warehouse(database), entry("added", 1))
    change("DROP TABLE bitrix24.events")
    change("ALTER TABLE bitrix24.erasures DROP COLUMN subject")
    change("UPDATE bitrix24.schema_versions SET version = 4")

    with database_of(ready, tmp_path / "work") as database, capture_logs() as logs:
        load(Warehouse(database), deal_entry(), entry("added", 2))

    assert [one["event"] for one in logs] == ["tables made"], "none of them was gone"
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.events") == [(1,)]
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comments") == [(2,)]
    assert ready.ask("SELECT MAX(version) FROM bitrix24.schema_versions") == [(5,)]
    assert ready.ask("SELECT COUNT(subject) FROM bitrix24.erasures") == [(0,)]
    if not ready.destination.database:
        indexes = ready.ask(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'events' ORDER BY 1"
        )
        assert indexes == [("events_by_id",), ("events_by_time",), ("events_of",)]


def parsed(value: Any) -> Any:
    """A value of JSON, of which DuckDB gives the text and PostgreSQL's driver what it says."""
    return json.loads(value) if isinstance(value, str) else value
