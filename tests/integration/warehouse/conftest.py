"""A warehouse in each of the two destinations that are proven here; or loaded by dlt, as others.

Making the tables takes most of a second, so that one warehouse of each kind is emptied for each
test. What a test does to the tables themselves it does to a `ready` one of its own, and what makes
them begins with a `fresh` one.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import structlog
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from consumers.cli import cli
from consumers.warehouse.database import Database
from consumers.warehouse.destination import destination
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import decode_event
from tests.integration.warehouse.loading import Target, ask_duckdb
from tests.integration.warehouse.opening import environment, make_tables, opened_database
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session", params=["duckdb", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def shared(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Target, Database]]:
    directory = tmp_path_factory.mktemp("warehouse")
    target = _ready(kind, request, directory)
    with database_of(target, directory / "work") as database:
        Warehouse(database).prepare()
        yield target, database


@pytest.fixture
def target(shared: tuple[Target, Database]) -> Target:
    """A destination with empty tables."""
    target, database = shared
    with database.session():
        kept = () if target.is_by_dlt else ("comment_states", "stale_comments")
        for table in ("comment_events", "events", "erasures", *kept):
            database.execute(f"DELETE FROM {{{table}}}")
    return target


@pytest.fixture
def warehouse(shared: tuple[Target, Database], target: Target) -> Warehouse:
    return Warehouse(shared[1])


@pytest.fixture
def fresh(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A destination in which nothing is."""
    if kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return _in_postgres(server, server.new_database())
    return _in_duckdb(kind, tmp_path)


@pytest.fixture
def ready(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A destination in which an earlier process has made the tables."""
    return _ready(kind, request, tmp_path)


@pytest.fixture
def change(ready: Target, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Somebody else's statement in the destination that is ready."""

    def execute(statement: str) -> None:
        if ready.destination.database:
            with duckdb.connect(str(ready.destination.database)) as connection:
                connection.execute(statement)
        else:
            server = request.getfixturevalue("postgres")
            server.execute(ready.destination.label.rpartition("/")[2], statement)

    return execute


@pytest.fixture(scope="session")
def empty_database(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database of PostgreSQL with the tables, to be copied."""
    name = postgres.new_database()
    make_tables(destination(postgres.url(name)), tmp_path_factory.mktemp("tables"))
    return name


def database_of(target: Target, directory: Path) -> AbstractContextManager[Database]:
    """The destination as a process of its own opens it."""
    return opened_database(target.destination, directory, is_by_dlt=target.is_by_dlt)


def _ready(kind: str, request: pytest.FixtureRequest, directory: Path) -> Target:
    if kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        template: str = request.getfixturevalue("empty_database")
        return _in_postgres(server, server.new_database(template))
    target = _in_duckdb(kind, directory)
    made = "empty_warehouse_of_dlt" if target.is_by_dlt else "empty_warehouse"
    shutil.copy(request.getfixturevalue(made), str(target.destination.database))
    return target


def _in_postgres(server: PostgresServer, name: str) -> Target:
    return Target(destination(server.url(name)), server.asking(name))


def _in_duckdb(kind: str, directory: Path) -> Target:
    path = directory / "warehouse.duckdb"
    return Target(destination(f"duckdb:///{path}"), ask_duckdb(str(path)), is_by_dlt=kind == "dlt")


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Iterator[Any]:
    """`consumers warehouse …` in this process."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(
            cli,
            ["warehouse", *arguments],
            env=environment(tmp_path) | {"GATEWAY_REDIS_URL": redis_url},
        )

    yield invoke
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def events_on(redis: Redis) -> list[Any]:
    """What stands on the stream `events`."""
    entries: Any = await redis.xrange("b24:events:{0}")
    return [decode_event(fields[b"event"]) for _, fields in entries]
