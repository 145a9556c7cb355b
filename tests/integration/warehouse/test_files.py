"""Parquet files: what an object store gets, here in a directory."""

from pathlib import Path

import duckdb
import pytest

from consumers.warehouse.destination import destination
from consumers.warehouse.row_loading import Warehouse
from gateway.errors import OperatorError
from tests.integration.warehouse.conftest import database_of
from tests.integration.warehouse.loading import PORTAL, START, Target, entry, fetched, load


def test_events_become_parquet_files_that_anybody_can_read(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    target = Target(destination(f"file://{lake}"), lambda _query: [])
    entries = [entry("added", n, comment=fetched("text", at_s=1)) for n in range(3)]

    with database_of(target, tmp_path / "work") as database:
        warehouse = Warehouse(database)
        load(warehouse, *entries)
        load(warehouse, *entries[:1])
        assert warehouse.absent({entries[0].event.id, "missing"}, START, START) == {"missing"}
        with pytest.raises(OperatorError, match="cannot be erased"):
            warehouse.erase(PORTAL, None, START)
    with database_of(target, tmp_path / "work") as database:
        later = Warehouse(database)
        assert later.absent({entries[2].event.id, "missing"}, START, START) == {"missing"}

    files = lake / "bitrix24"
    with duckdb.connect() as connection:
        assert connection.execute(
            "SELECT COUNT(*), COUNT(DISTINCT event_id), MIN(comment_text) FROM read_parquet(?)",
            [f"{files}/comment_events/*.parquet"],
        ).fetchone() == (4, 3, "text")
    assert len(list((files / "schema_versions").glob("*.parquet"))) == 1
