"""`gateway portals …`, as operators call it."""

import asyncio
import json
import signal
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

_PATIENCE_S = 60.0
"""How long a command may take before it shows where it stands and ends."""


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
                "PYTHONFAULTHANDLER": "1",
                **environment(Settings(), settings),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        late: list[str] = []

        def give_up() -> None:
            late.append(f"gateway portals {' '.join(arguments)} still runs")
            process.send_signal(signal.SIGABRT)

        timer = asyncio.get_running_loop().call_later(_PATIENCE_S, give_up)
        try:
            out, err = await process.communicate()
        finally:
            timer.cancel()
            if process.returncode is None:
                process.kill()
        assert not late, f"{late[0]} after {_PATIENCE_S:g} s: {err.decode()}"
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Told(process.returncode, out.decode(), err.decode())

    return run
