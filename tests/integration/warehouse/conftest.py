"""A warehouse in each of the two destinations that are proven here; or loaded by dlt, as others.

Making the tables takes most of a second, so that one warehouse of each kind is emptied for each
test; tests of the tables themselves ask for a `fresh` one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumers.warehouse.database import Database
from consumers.warehouse.database_choice import database_of as chosen_database
from consumers.warehouse.destination import destination
from consumers.warehouse.dlt_database import DltDatabase
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.workspace import Workspace
from tests.integration.warehouse.loading import Target, ask_duckdb
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def shared(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, Database]]:
    directory = tmp_path_factory.mktemp("warehouse")
    target = new_target(kind, request, directory)
    with database_of(target, directory / "work") as database:
        Warehouse(database).prepare()
        yield target, database


@pytest.fixture
def target(shared: tuple[Target, Database]) -> Target:
    """A destination with empty tables."""
    target, database = shared
    with database.session():
        kept = () if target.is_by_dlt else ("comment_states", "stale_comments")
        for table in ("comment_events", "erasures", *kept):
            database.execute(f"DELETE FROM {{{table}}}")
    return target


@pytest.fixture
def warehouse(shared: tuple[Target, Database], target: Target) -> Warehouse:
    return Warehouse(shared[1])


@pytest.fixture
def fresh(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A destination in which nothing is."""
    return new_target(kind, request, tmp_path)


def new_target(kind: str, request: pytest.FixtureRequest, directory: Path) -> Target:
    if kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = server.new_database()
        return Target(destination(server.url(name)), server.asking(name))
    path = directory / "warehouse.duckdb"
    return Target(destination(f"duckdb:///{path}"), ask_duckdb(str(path)), is_by_dlt=kind == "dlt")


@contextmanager
def database_of(target: Target, directory: Path) -> Iterator[Database]:
    """The destination as a process of its own opens it."""
    workspace = Workspace(directory)
    make = DltDatabase if target.is_by_dlt else chosen_database
    database: Database = make(target.destination, dataset="bitrix24", workspace=workspace)
    try:
        yield database
    finally:
        database.close()
        workspace.close()
