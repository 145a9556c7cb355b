"""`gateway drill` as a process, for an installation in a test's directory."""

import sys
from pathlib import Path
from typing import Any

from msgspec import json

from tests.support.program import Program, surroundings
from tests.support.starting import finished

__all__ = ["Drilled", "drill_process", "drilled", "spool_of"]

_QUICK = ("--seconds", "0.5", "--rate", "40", "--json")


class Drilled:
    """What a drill ended with, and what it said."""

    def __init__(self, code: int, output: str, errors: str) -> None:
        self.code = code
        self.output = output
        self.errors = errors

    @property
    def record(self) -> dict[str, Any]:
        return dict(json.decode(self.output))

    @property
    def outcomes(self) -> dict[str, dict[str, Any]]:
        return {one["fault"]: one for one in self.record["outcomes"]}


def spool_of(directory: Path) -> Path:
    """The installation's own spool."""
    return directory / "spool"


async def drilled(
    url: str, directory: Path, *arguments: str, timeout_s: float = 250, **settings: str
) -> Drilled:
    """A quick drill that has come to its end."""
    done = await finished(
        (*_command(), *_QUICK, *arguments),
        environment=surroundings() | _variables(url, directory, settings),
        directory=directory,
        timeout_s=timeout_s,
    )
    return Drilled(done.returncode, done.stdout, done.stderr)


def drill_process(url: str, directory: Path, *arguments: str) -> Program:
    """A quick drill that can be hurt."""
    return Program(
        (*_command(), *_QUICK, *arguments),
        log_file=directory / "drill.log",
        directory=directory,
        environment=_variables(url, directory, {}),
    )


def _command() -> tuple[str, ...]:
    return (sys.executable, "-m", "gateway", "drill")


def _variables(url: str, directory: Path, settings: dict[str, str]) -> dict[str, str]:
    return {
        "GATEWAY_REDIS_URL": url,
        "GATEWAY_REDIS_PARTITIONS": "2",
        "GATEWAY_SPOOL_DIR": str(spool_of(directory)),
        "GATEWAY_CONSUMERS_LEASE_S": "2",
        **{f"GATEWAY_{name}": value for name, value in settings.items()},
    }
