"""The receiver as a real process: `gateway serve` on free ports, set up by its environment."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from msgspec import json

from gateway.local.redis_server import free_port
from gateway.sandbox.portal import SANDBOX

__all__ = ["Receiver"]

_PORTALS = json.encode(
    [
        {
            "member_id": SANDBOX.member_id,
            "domain": SANDBOX.domain,
            "application_tokens": [SANDBOX.application_token],
        }
    ]
).decode()


class Receiver:
    """One receiver; `settings` are further variables, `GATEWAY_` left off."""

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        spool: Path,
        settings: Mapping[str, str] | None = None,
        log: int | None = None,
    ) -> None:
        """`log` is what it gets for standard error, if not a file of its own."""
        self._log = log
        self.port, self.admin_port = free_port(), free_port()
        self.log_file = directory / f"receiver-{self.port}.log"
        self._directory = directory
        self._environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")
            },
            "GATEWAY_REDIS_URL": redis_url,
            "GATEWAY_HTTP_PORT": str(self.port),
            "GATEWAY_ADMIN_PORT": str(self.admin_port),
            "GATEWAY_SPOOL_DIR": str(spool),
            "GATEWAY_PORTALS": _PORTALS,
            **{f"GATEWAY_{name}": value for name, value in (settings or {}).items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start, without waiting for it to listen."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if self._log is None else self._log,
            )

    async def start(self, *, timeout_s: float = 20) -> None:
        """Start, and wait until it listens."""
        self.launch()
        async with asyncio.timeout(timeout_s):
            while not await self._listens():
                assert self._process is not None
                assert self._process.poll() is None, f"the receiver ended:\n{self.log[-2000:]}"
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End it as the kernel would, without a warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    async def stop(self, *, timeout_s: float = 30) -> int:
        """Stop it as an operator would; returns its exit code. -1 if it did not run."""
        if self._process is None:
            return -1
        self._process.send_signal(signal.SIGTERM)
        return await self.ended(timeout_s=timeout_s)

    async def ended(self, *, timeout_s: float = 30) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        assert self._process is not None
        try:
            async with asyncio.timeout(timeout_s):
                while (code := self._process.poll()) is None:
                    await asyncio.sleep(0.02)
        finally:
            self.kill()
        return code

    async def metrics(self) -> list[str]:
        """The lines that its admin listener shows."""
        url = f"http://127.0.0.1:{self.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return (await answer.text()).splitlines()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def _surroundings() -> dict[str, str]:
    """The environment without settings of the gateway that a developer may have there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
