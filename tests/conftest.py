"""Fixtures that every test may use: a real server on a free port, and the wire bodies."""

import gc
import signal
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access import connections
from tests.faults.report import write_report
from tests.support import forked
from tests.support.postgres import PostgresServer
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.server_matrix import HERE, NotHere, server_named
from tests.support.stage import SAFE

# Whoever runs the tests may ignore these, as shells do for what they start in the background; the
# processes that tests start would inherit that, and tests that send them could not end them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TESTS = Path(__file__).parent
WIRE = TESTS / "wire"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for: as `make test-faults` and `make test-install` do."""
    for marker in ("matrix", "machine"):
        left_out = [item for item in items if item.get_closest_marker(marker)]
        if left_out and marker not in config.option.markexpr:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker(marker)]
    _prepare_processes(items)


def _prepare_processes(items: Iterable[pytest.Item]) -> None:
    """Have modules imported, while the first tests run, for those who start commands."""
    start_commands = {TESTS / "integration", TESTS / "faults", TESTS / "topologies"}
    if any(start_commands.intersection(item.path.parents) for item in items):
        forked.prepare()


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collection: it is there to the end."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Have the interpreter free all of it at its end; DuckDB complains of what is left."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note for the table that a test has passed, or why it was not run; what counts comes last."""
    report = yield
    if report.when == "call" and report.passed:
        item.user_properties.append(("remark", "passed"))
    if report.skipped and isinstance(report.longrepr, tuple):
        item.user_properties.append(("remark", report.longrepr[2].removeprefix("Skipped: ")))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if "matrix" in config.option.markexpr and not config.option.collectonly:
        write_report(terminalreporter)


@pytest.fixture(autouse=True)
def _logging_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that is run within a test sets up logging: for that test, and for no later one.

    A logger that is cached on its first use would keep that for the life of the process.
    """
    configure = structlog.configure

    def without_cache(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", without_cache)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def server_binary(request: pytest.FixtureRequest) -> ServerBinary:
    """The server that is here, or the one of the matrix that a test was given."""
    try:
        return server_named(getattr(request, "param", HERE))
    except NotHere as reason:
        pytest.skip(f"not available here: {reason}")


@pytest.fixture(scope="session")
def shared_server(
    server_binary: ServerBinary, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """One server for all tests of a session that do not hurt it; emptied for each."""
    server = RedisServer(server_binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def redis_url(shared_server: RedisServer) -> str:
    """The URL of an empty server."""
    client = connections.control(shared_server.url)
    await client.flushall()
    await client.aclose()
    return shared_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the empty server."""
    client = connections.control(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def own_server(server_binary: ServerBinary, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own that keeps what it has said, to be killed and paused at will."""
    server = RedisServer(server_binary, tmp_path / "redis", append_only=True, options=SAFE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of a session, each with databases of its own in it."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=sorted(path.name for path in WIRE.glob("*.form")))
def wire_body(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """Each real-shaped body in turn: its name, and its bytes."""
    return request.param, (WIRE / request.param).read_bytes()


@pytest.fixture
async def cluster_url(server_binary: ServerBinary, tmp_path: Path) -> AsyncIterator[str]:
    """Two nodes with half of the slots each."""
    async with redis_cluster(server_binary, tmp_path) as nodes:
        yield url_of(nodes)
