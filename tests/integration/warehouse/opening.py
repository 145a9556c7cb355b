"""Destinations as a process of its own opens them, and a file that another process keeps open."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from consumers.warehouse.database import Database
from consumers.warehouse.database_choice import database_of
from consumers.warehouse.destination import Destination
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.workspace import Workspace
from tests.support.program import piped

__all__ = ["environment", "kept_open", "make_tables", "opened_database"]

_KEEPER: Final = """
import duckdb, sys
with duckdb.connect(sys.argv[1]):
    print(flush=True)
    sys.stdin.read()
"""


@contextmanager
def opened_database(
    target: Destination, directory: Path, *, is_by_dlt: bool = False
) -> Iterator[Database]:
    """The destination, loaded in its own way, or as those that have none."""
    workspace = Workspace(directory)
    database: Database
    if is_by_dlt:
        from consumers.warehouse.dlt_database import DltDatabase

        database = DltDatabase(target, dataset="bitrix24", workspace=workspace)
    else:
        database = database_of(target, dataset="bitrix24", workspace=workspace)
    try:
        yield database
    finally:
        database.close()
        workspace.close()


def make_tables(target: Destination, directory: Path, *, is_by_dlt: bool = False) -> None:
    """Make the warehouse's tables in it."""
    with opened_database(target, directory, is_by_dlt=is_by_dlt) as database:
        Warehouse(database).prepare()


@contextmanager
def kept_open(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the file, until the end or until its input is closed."""
    with piped([sys.executable, "-c", _KEEPER, str(file)]) as keeper:
        assert keeper.stdout is not None
        keeper.stdout.readline()
        yield keeper


def environment(directory: Path) -> dict[str, str]:
    """Settings of a warehouse in a file of this directory."""
    return {
        "GATEWAY_WAREHOUSE_DESTINATION": f"duckdb:///{directory}/warehouse.duckdb",
        "GATEWAY_WAREHOUSE_WORK_DIR": str(directory / "work"),
        "GATEWAY_WAREHOUSE_MAX_EVENTS": "400",
        "GATEWAY_WAREHOUSE_MAX_WAIT_S": "0.05",
        "GATEWAY_CONSUMERS_LEASE_S": "2",
    }
