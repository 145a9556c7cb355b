"""The tables: what they are like, and how they follow the releases."""

from pathlib import Path

import pytest

from consumers.warehouse import table_making, table_schema
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.table_making import NewerTables
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import Target, entry, load


@pytest.mark.parametrize("table", [table_schema.COMMENT_EVENTS, table_schema.EVENTS])
def test_columns_are_typed_and_described(
    warehouse: Warehouse, target: Target, table: table_schema.Table
) -> None:
    warehouse.prepare()
    types = dict(
        target.ask(
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = 'bitrix24' AND table_name = '{table.name}'"
        )
    )
    assert set(types) == set(table.names)
    kinds = {
        "text": ("varchar", "character varying"),
        "bigint": ("bigint",),
        "bool": ("boolean",),
        "timestamp": ("timestamp with time zone",),
        "json": ("json", "jsonb"),
    }
    for column in table.columns:
        assert types[column.name].lower() in kinds[column.type], column.name
    comments = (
        f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{table.name}' "
        "AND schema_name = 'bitrix24'"
        if target.destination.database
        else "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
        f"WHERE attrelid = 'bitrix24.{table.name}'::regclass AND attnum > 0"
    )
    assert dict(target.ask(comments)) == {
        column.name: column.description for column in table.columns
    }


def test_a_newer_release_adds_its_columns_and_an_older_one_keeps_off(
    fresh: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_schema.COMMENT_EVENTS
    newer = table_schema.Table(
        table.name,
        table.key,
        table.description,
        (*table.columns, table_schema.Column("mood", "text", "How the comment sounds.")),
    )
    with (
        database_of(fresh, tmp_path / "older") as older,
        database_of(fresh, tmp_path / "newer") as upgraded,
    ):
        running = Warehouse(older)
        load(running, entry("added", 1))
        with monkeypatch.context() as release:
            release.setattr(table_making, "VERSION", table_schema.VERSION + 1)
            release.setattr(table_making, "COMMENT_EVENTS", newer)
            Warehouse(upgraded).prepare()
        load(running, entry("added", 2))  # it was running already, and goes on

        assert fresh.ask(
            "SELECT comment_id, mood FROM bitrix24.comment_events ORDER BY comment_id"
        ) == [(1, None), (2, None)]
        restarted = Warehouse(older)
        with pytest.raises(NewerTables, match=f"version {table_schema.VERSION + 1}"):
            restarted.prepare()
        with pytest.raises(NewerTables):
            load(restarted, entry("added", 3))


def test_tables_that_were_made_in_part_are_completed(fresh: Target, tmp_path: Path) -> None:
    with database_of(fresh, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        with database.session():
            database.make(table_schema.COMMENT_EVENTS)
        load(warehouse, entry("added", 1))

        assert fresh.ask("SELECT comment_id FROM bitrix24.comments") == [(1,)]
