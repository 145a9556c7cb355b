"""Tables that vanish under a running warehouse are noticed, made again whole, and told of."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from structlog.testing import capture_logs

from consumers.warehouse import table_schema
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import EventSubject
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import PORTAL, START, Target, entry, load

DROPS = {
    "everything": "DROP SCHEMA bitrix24 CASCADE",
    "the view": "DROP VIEW bitrix24.comments",
    "the erasures": "DROP TABLE bitrix24.erasures",
    "the events": "DROP TABLE bitrix24.comment_events CASCADE",
    "the other events": "DROP TABLE bitrix24.events",
    "what dlt notes": "DROP TABLE bitrix24._dlt_version",
}


Change = Callable[[Target, str], None]


@pytest.fixture
def change(kind: str, request: pytest.FixtureRequest) -> Change:
    """Somebody else's statement in a destination."""

    def in_duckdb(target: Target, statement: str) -> None:
        with duckdb.connect(str(target.destination.database)) as connection:
            connection.execute(statement)

    def in_postgres(target: Target, statement: str) -> None:
        server = request.getfixturevalue("postgres")
        server.execute(target.destination.label.rpartition("/")[2], statement)

    return in_postgres if kind == "postgres" else in_duckdb


def assert_whole(target: Target) -> None:
    assert target.ask("SELECT COUNT(*) FROM bitrix24.comments") != []
    assert target.ask("SELECT version FROM bitrix24.schema_versions") == [(table_schema.VERSION,)]
    comments = (
        "SELECT COUNT(comment) FROM duckdb_columns() WHERE table_name = 'comment_events' "
        "AND schema_name = 'bitrix24'"
        if target.destination.database
        else "SELECT COUNT(*) FROM pg_description "
        "WHERE objoid = 'bitrix24.comment_events'::regclass AND objsubid > 0"
    )
    assert target.ask(comments) == [(len(table_schema.COMMENT_EVENTS.columns),)]
    if not target.destination.database:
        assert target.ask(
            "SELECT COUNT(*) FROM pg_indexes WHERE indexname LIKE 'comment_events_%'"
        ) == [(3,)]


def lost(logs: list[Any]) -> list[Any]:
    return [one for one in logs if one["event"].startswith("tables were gone")]


@pytest.mark.parametrize("statement", DROPS.values(), ids=DROPS.keys())
def test_what_is_dropped_is_there_again_with_the_next_load_and_told(
    ready: Target, tmp_path: Path, change: Change, statement: str
) -> None:
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        warehouse.erase(PORTAL, EventSubject.of_comment(7), START + timedelta(days=1))
        change(ready, statement)
        with capture_logs() as logs:
            load(warehouse, entry("added", 2), entry("added", 7))
            load(warehouse, entry("added", 3))

    assert_whole(ready)
    assert ready.ask("SELECT comment_id, subject FROM bitrix24.erasures") == [(7, None)]
    rows = ready.ask("SELECT comment_id FROM bitrix24.comment_events ORDER BY comment_id")
    assert rows == [(2,), (3,)], "what was erased stays away"
    told = lost(logs)
    assert len(told) == ("_dlt" not in statement), "once"
    if "events" in statement or "SCHEMA" in statement:
        assert "backfill" in told[0]["remedy"]


def test_a_restart_after_everything_was_dropped_loads_and_forgets_no_erasure(
    ready: Target, tmp_path: Path, change: Change
) -> None:
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("added", 1))
        warehouse.erase(PORTAL, EventSubject.of_comment(1), START + timedelta(days=1))
    change(ready, DROPS["everything"])

    with database_of(ready, tmp_path / "work") as database, capture_logs() as logs:
        load(Warehouse(database), entry("added", 1), entry("added", 2))

    assert_whole(ready)
    assert ready.ask("SELECT comment_id FROM bitrix24.comment_events") == [(2,)]
    assert ready.ask("SELECT comment_id FROM bitrix24.erasures") == [(1,)]
    assert lost(logs)[0]["erasures_restored"] == 1


def test_tables_that_only_dlt_believes_in_are_made(
    ready: Target, tmp_path: Path, change: Change
) -> None:
    """As an older release left them: it loaded on into a new file, and never started again."""
    with database_of(ready, tmp_path / "work") as database:
        load(Warehouse(database), entry("added", 1))
    change(ready, DROPS["the view"])
    change(ready, "DROP TABLE bitrix24.schema_versions")
    change(ready, "DROP TABLE bitrix24.erasures")

    with database_of(ready, tmp_path / "work") as database:
        load(Warehouse(database), entry("added", 2))

    assert_whole(ready)
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(2,)]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_an_index_that_is_dropped_is_made_again_before_the_next_load(
    ready: Target, tmp_path: Path, change: Change
) -> None:
    """Without it no row would find the one that it replaces."""
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        came = entry("added", 1)
        load(warehouse, came)
        change(ready, "DROP INDEX bitrix24.comment_events_by_id")
        load(warehouse, came, entry("added", 2))

    assert_whole(ready)
    assert ready.ask("SELECT COUNT(*) FROM bitrix24.comment_events") == [(2,)]


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
def test_a_file_that_is_removed_is_begun_anew(ready: Target, tmp_path: Path) -> None:
    assert ready.destination.database is not None
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("added", 1))
        ready.destination.database.unlink()
        load(warehouse, entry("added", 2))

    assert_whole(ready)
    assert ready.ask("SELECT comment_id FROM bitrix24.comment_events") == [(2,)]
