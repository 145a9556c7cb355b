"""`gateway reconcile` as a real process, set up by its environment."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from msgspec import json

from gateway.local.redis_server import free_port

__all__ = ["Reconciler"]

_ROOT = Path(__file__).parents[3]


class Reconciler:
    """One process; `settings` are variables, `GATEWAY_` left off."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        *,
        module: str = "gateway",
        arguments: tuple[str, ...] = ("reconcile",),
    ) -> None:
        self.port = free_port()
        self.log_file = directory / f"reconcile-{self.port}.log"
        self._argv = (sys.executable, "-m", module, *arguments)
        self._directory = directory
        self._environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")
            },
            "PYTHONPATH": str(_ROOT),  # for modules of the tests
            "GATEWAY_RECONCILE_PORT": str(self.port),
            **{f"GATEWAY_{name}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log with this phrase; one that is cut off is none."""
        whole, _, _cut = self.log.rpartition("\n")
        lines = [json.decode(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as the kernel would, without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        assert self._process is not None
        return bool(psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, *, timeout_s: float = 20) -> int:
        """Stop it as an operator would; its exit code."""
        self.send(signal.SIGTERM)
        return await self.ended(timeout_s=timeout_s)

    async def ended(self, *, timeout_s: float = 30) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self._process is not None
        try:
            async with asyncio.timeout(timeout_s):
                while (code := self._process.poll()) is None:
                    await asyncio.sleep(0.02)
        finally:
            self.kill()
        return code
