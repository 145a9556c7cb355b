"""What tests of several folders are given: users of Redis, and a warehouse without a row."""

from functools import partial
from pathlib import Path

import pytest

from consumers.warehouse.destination import destination
from tests.integration.warehouse.opening import make_tables
from tests.support.once import once
from tests.support.redis_users import limited_url, users

__all__ = ["limited_url", "users"]

_FILE = "warehouse.duckdb"


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """DuckDB's file with the warehouse's tables, to be copied.

    To make them takes two seconds. Tests that try the making begin without a file.
    """
    make = partial(_make, is_by_dlt=False)
    return once(tmp_path_factory, worker_id, "empty-warehouse", make) / _FILE


@pytest.fixture(scope="session")
def empty_warehouse_of_dlt(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The same with the tables as they are in destinations that dlt loads."""
    make = partial(_make, is_by_dlt=True)
    return once(tmp_path_factory, worker_id, "empty-warehouse-of-dlt", make) / _FILE


def _make(directory: Path, *, is_by_dlt: bool) -> None:
    target = destination(f"duckdb:///{directory}/{_FILE}")
    make_tables(target, directory / "work", is_by_dlt=is_by_dlt)
