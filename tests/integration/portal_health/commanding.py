"""`gateway portals …` and `gateway events …`, as operators call them."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.local.process_plan import environment
from gateway.settings import Settings
from tests.support.program import surroundings
from tests.support.starting import finished

__all__ = ["Command", "Told", "command"]


class Told(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Awaitable[Told]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs `gateway portals …`, or another command, with settings, as a process of its own."""

    async def run(settings: Settings, *arguments: str, group: str = "portals") -> Told:
        done = await finished(
            (sys.executable, "-m", "gateway", group, *arguments),
            directory=tmp_path,
            environment=surroundings() | environment(Settings(), settings),
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Told(done.returncode, done.stdout, done.stderr)

    return run
