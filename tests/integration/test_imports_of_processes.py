"""Each process imports what it uses: what is heavy and of no use to it is not there."""

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.eventually import eventually
from tests.support.program import ROOT, Program

# Loaded by Python itself at its start, from wherever it is found first.
_TELLS_AT_ITS_END: Final = """
import atexit, os, sys
def tell():
    names = [name for name, module in sys.modules.items() if module]
    open(os.environ["IMPORTED"], "w").write("\\n".join(names))
atexit.register(tell)
"""
_OF_CONSUMERS: Final = {"apprise", "jinja2", "requests", "dlt", "duckdb", "pyarrow", "sqlglot"}
_OF_COMMANDS: Final = {"gateway.local", "gateway.sandbox", "consumers.testing"}
_NEVER: Final = {"rich", "pygments", "hypothesis", "pytest"} | _OF_COMMANDS
_WITHOUT_KEYS: Final = {"cryptography.fernet", "cryptography.hazmat"}
_NETWORK: Final = {"aiohttp", "redis", "asyncio", "structlog", "prometheus_client", "uvloop"}

PROCESSES: Final = {
    ("gateway", "serve"): _OF_CONSUMERS | _WITHOUT_KEYS | {"consumers"},
    ("gateway", "reconcile"): _OF_CONSUMERS | _WITHOUT_KEYS | {"consumers", "sqlite3"},
    ("consumers", "run", "audit"): _OF_CONSUMERS | _WITHOUT_KEYS | {"sqlite3"},
    ("consumers", "run", "enricher"): _OF_CONSUMERS | _WITHOUT_KEYS | {"sqlite3"},
    ("consumers", "run", "feed"): _OF_CONSUMERS | _WITHOUT_KEYS | {"sqlite3"},
    ("consumers", "run", "notifier"): _OF_CONSUMERS | _WITHOUT_KEYS,  # nobody is to be told
    ("consumers", "run", "relay"): _OF_CONSUMERS | _WITHOUT_KEYS | {"sqlite3"},
    ("consumers", "run", "warehouse"): _OF_CONSUMERS | _WITHOUT_KEYS,  # its child loads
}


def program(directory: Path, command: tuple[str, ...], redis_url: str) -> Program:
    (directory / "sitecustomize.py").write_text(_TELLS_AT_ITS_END)
    return Program(
        (sys.executable, "-m", *command),
        log_file=directory / "log",
        directory=directory,
        environment={
            "PYTHONPATH": f"{directory}:{ROOT}",
            "IMPORTED": str(directory / "imported"),
            "GATEWAY_REDIS_URL": redis_url,
            "GATEWAY_HTTP_PORT": "0",
            "GATEWAY_ADMIN_PORT": "0",
            "GATEWAY_FEED_PORT": "0",
        },
    )


def imported(directory: Path, unwanted: set[str]) -> set[str]:
    """Which of these the process had imported by its end, be it only one of their modules."""
    modules = (directory / "imported").read_text().split()
    found = {name for name in modules if name in unwanted}
    return found | {one for one in unwanted if any(name.startswith(f"{one}.") for name in modules)}


@pytest.mark.parametrize("command", PROCESSES, ids=lambda command: command[-1])
async def test_a_process_that_runs_has_imported_nothing_heavy_that_it_does_not_use(
    tmp_path: Path, redis_url: str, command: tuple[str, ...]
) -> None:
    with program(tmp_path, command, redis_url) as process:
        process.launch()
        await eventually(
            lambda: process.lines("listening") or process.lines("health and metrics"),
            timeout_s=90,
        )
        assert await process.stop() == 0

    assert imported(tmp_path, PROCESSES[command] | _NEVER) == set()


@pytest.mark.parametrize("arguments", [("--help",), ("config",)], ids=lambda it: it[0])
async def test_a_command_without_redis_imports_nothing_of_a_network(
    tmp_path: Path, redis_url: str, arguments: tuple[str, ...]
) -> None:
    with program(tmp_path, ("gateway", *arguments), redis_url) as process:
        process.launch()
        assert await process.ended() == 0

    assert imported(tmp_path, _NETWORK) == set()


_SERVICE: Final = """
import structlog
from consumers import CommentEvent, Consumer

app = Consumer(group="mine", stream="events")

@app.on("bitrix24.*")
async def handle(event: CommentEvent) -> None: ...

print("has rich" if structlog.dev.rich else "has none", flush=True)
"""


async def test_a_service_has_the_libraries_that_our_own_processes_keep_out(
    tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "mine.py").write_text(_SERVICE)
    with program(tmp_path, ("consumers", "run", "mine:app"), redis_url) as process:
        process.launch()
        await eventually(lambda: process.lines("health and metrics"), timeout_s=90)
        assert await process.stop() == 0

    assert "has rich" in process.log
