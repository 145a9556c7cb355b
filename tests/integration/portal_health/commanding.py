"""`gateway portals …`, as operators call it."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.local.process_plan import environment
from gateway.settings import Settings

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
    """Runs `gateway portals …` with settings, as a process of its own."""

    async def run(settings: Settings, *arguments: str) -> Told:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "portals", *arguments),
            cwd=tmp_path,
            env={
                "PATH": "",
                "PYTHONPATH": str(Path(__file__).parents[3]),
                **environment(Settings(), settings),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Told(process.returncode, out.decode(), err.decode())

    return run
