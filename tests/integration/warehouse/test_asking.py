"""`consumers warehouse query` and `erase --compact`."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from consumers.cli import cli
from consumers.warehouse.query import answer, as_json, as_table
from consumers.warehouse.row_finding import find_rows
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import EventSubject
from gateway.errors import OperatorError
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import (
    PORTAL,
    START,
    Target,
    deal_entry,
    entry,
    fetched,
    load,
)
from tests.integration.warehouse.opening import kept_open


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(
            cli,
            ["warehouse", *arguments],
            env={
                "GATEWAY_WAREHOUSE_DESTINATION": f"duckdb:///{tmp_path}/warehouse.duckdb",
                "GATEWAY_WAREHOUSE_WORK_DIR": str(tmp_path / "work"),
            },
        )

    yield invoke
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def ask(target: Target, query: str, *, wait_s: float = 10) -> Any:
    return answer(target.destination, "bitrix24", query, wait_s=wait_s)


def test_a_query_is_answered_as_a_table_and_as_json_and_changes_nothing(
    warehouse: Warehouse, target: Target
) -> None:
    load(warehouse, entry("added", 1, comment=fetched("first", at_s=1)))
    query = "SELECT comment_id, text, is_deleted, last_event_at FROM comments"

    found = ask(target, query)

    (line,) = as_json(found)
    row = json.loads(line)
    assert (row["comment_id"], row["text"], row["is_deleted"]) == (1, "first", False)
    assert row["last_event_at"].startswith("2025-12-18T08:00:00")
    table = as_table(found)
    assert "│          1 │ first" in table
    assert list(as_json(ask(target, query + " WHERE comment_id = 2"))) == []
    for statement in ("DELETE FROM comment_events", "DROP VIEW comments", "SELECT nothing"):
        with pytest.raises(OperatorError, match=r"read-only|nothing"):
            ask(target, statement)
    assert target.ask("SELECT COUNT(*) FROM bitrix24.comments") == [(1,)]


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
def test_a_query_waits_for_a_load_to_leave_the_file(warehouse: Warehouse, target: Target) -> None:
    load(warehouse, entry("added", 1))
    file = target.destination.database
    assert file is not None
    with kept_open(file) as keeper:
        assert keeper.stdin is not None
        leaves = threading.Timer(0.3, keeper.stdin.close)
        leaves.start()
        found = ask(target, "SELECT COUNT(*) AS events FROM comment_events", wait_s=30)
        leaves.join()

    assert found.to_pylist() == [{"events": 1}]


def test_the_command_says_what_is_wrong_in_a_line(run: Any, tmp_path: Path) -> None:
    nothing = run("query", "SELECT 1")
    assert isinstance(nothing.exception, OperatorError)
    assert "no such file yet" in str(nothing.exception)


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
def test_of_what_was_erased_no_byte_is_left_in_a_file_that_was_compacted(
    fresh: Target, tmp_path: Path
) -> None:
    path = fresh.destination.database
    assert path is not None
    secret = "a sentence that has to go"
    with database_of(fresh, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        texts = [f"{secret} {number} " + "x" * 500 for number in range(50)]
        load(
            warehouse,
            *(entry("updated", 1, comment=fetched(text, at_s=1)) for text in texts),
            entry("updated", 2, comment=fetched("to stay", at_s=1)),
        )
        warehouse.erase(PORTAL, EventSubject.of_comment(1), START.replace(year=2026))
        warehouse.compact()
        load(warehouse, entry("updated", 3))

    held = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert secret.encode() not in held
    assert b"to stay" in held
    assert not list(tmp_path.glob("*.compacting*"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert fresh.ask("SELECT comment_id FROM bitrix24.comments ORDER BY 1") == [(2,), (3,)]
    assert fresh.ask("SELECT COUNT(comment) > 30 FROM duckdb_columns()") == [(True,)]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_tables_of_postgres_are_written_anew(ready: Target, tmp_path: Path) -> None:
    with database_of(ready, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("updated", 1), entry("updated", 2), deal_entry())
        files = [
            f"SELECT pg_relation_filenode('bitrix24.{table}')"
            for table in ("comment_events", "events")
        ]
        before = [ready.ask(one) for one in files]
        warehouse.erase(PORTAL, EventSubject.of_comment(1), START.replace(year=2026))
        warehouse.compact()

    assert all(ready.ask(one) != its for one, its in zip(files, before, strict=True))
    assert ready.ask("SELECT comment_id FROM bitrix24.comments") == [(2,)]


@pytest.mark.parametrize("kind", ["duckdb"], indirect=True)
def test_nobody_else_may_read_the_file(fresh: Target, tmp_path: Path) -> None:
    path = fresh.destination.database
    assert path is not None
    with database_of(fresh, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, entry("updated", 1))
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        load(warehouse, entry("updated", 2))
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_row_of_an_event_is_found_in_whichever_table_it_is(
    warehouse: Warehouse, target: Target
) -> None:
    comment, deal = entry("added", 1), deal_entry(2)
    load(warehouse, comment, deal)

    for one, table in ((comment, "comment_events"), (deal, "events")):
        (found,) = find_rows(target.destination, "bitrix24", one.event.id, wait_s=10)
        assert (found.table, found.row["event_id"]) == (table, one.event.id)
    nobodys = "01a20519-8d87-7177-989d-ac8da4341f00"
    assert find_rows(target.destination, "bitrix24", nobodys, wait_s=10) == []
    with pytest.raises(OperatorError, match="no id of an event"):
        find_rows(target.destination, "bitrix24", "' OR 1=1 --", wait_s=10)
