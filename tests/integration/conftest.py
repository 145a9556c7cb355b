"""What tests of several folders are given: users of Redis, and a warehouse without a row."""

import fcntl
import shutil
from pathlib import Path

import pytest

from consumers.warehouse.destination import destination
from tests.integration.warehouse.opening import make_tables
from tests.support.redis_users import limited_url, users

__all__ = ["limited_url", "users"]


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """DuckDB's file with the warehouse's tables, to be copied: made once for all workers of a run.

    That takes two seconds. Tests that try the making begin without a file.
    """
    directory = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        directory = directory.parent
    file = directory / "empty-warehouse.duckdb"
    with (directory / "empty-warehouse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            made = tmp_path_factory.mktemp("tables")
            make_tables(destination(f"duckdb:///{made}/warehouse.duckdb"), made / "work")
            shutil.move(made / "warehouse.duckdb", file)
    return file
