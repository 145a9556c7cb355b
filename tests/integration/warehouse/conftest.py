"""A warehouse in each of the two destinations that are proven here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.warehouse.database import Database
from consumers.warehouse.destination import destination
from consumers.warehouse.loading import Warehouse
from consumers.warehouse.workspace import Workspace
from tests.integration.warehouse.loading import Target, ask_duckdb, ask_postgres
from tests.integration.warehouse.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> PostgresServer:
    """A server without a warehouse in it."""
    for (schema,) in postgres_server.query(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bitrix24%%'"
    ):
        postgres_server.query(f'DROP SCHEMA "{schema}" CASCADE')
    return postgres_server


@pytest.fixture(params=["duckdb", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return Target(destination(server.url), ask_postgres(server))
    return duckdb_target(tmp_path)


def duckdb_target(directory: Path) -> Target:
    path = directory / "warehouse.duckdb"
    return Target(destination(f"duckdb:///{path}"), ask_duckdb(str(path)))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    taken = Workspace(tmp_path / "work")
    yield taken
    taken.close()


@pytest.fixture
def warehouse(target: Target, workspace: Workspace) -> Iterator[Warehouse]:
    opened = Warehouse(Database(target.destination, dataset="bitrix24", workspace=workspace))
    yield opened
    opened.close()


@pytest.fixture
def second(target: Target, tmp_path: Path) -> Iterator[Warehouse]:
    """The same warehouse, as another process opens it later."""
    workspace = Workspace(tmp_path / "second")
    yield Warehouse(Database(target.destination, dataset="bitrix24", workspace=workspace))
    workspace.close()
