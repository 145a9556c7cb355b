"""What it costs a process to start: CPU and time until it says that it is ready, on its own."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import free_port
from tests.benchmarks.footprint.checkouts import Checkout
from tests.benchmarks.footprint.process_memory import shares
from tests.benchmarks.load import cpu_seconds

__all__ = ["COMMANDS", "Start", "Starts", "is_ready"]

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "receiver": ("gateway", "serve"),
    "reconcile": ("gateway", "reconcile"),
    "audit": ("consumers", "run", "audit"),
    "enricher": ("consumers", "run", "enricher"),
    "warehouse": ("consumers", "run", "warehouse"),
    "notifier": ("consumers", "run", "notifier"),
}
_TIMEOUT_S: Final = 90.0


class Start(Struct, frozen=True):
    """One start: seconds of CPU and by the clock until it was ready, and MB (PSS) then."""

    cpu_s: float
    wall_s: float
    pss_mb: float


class Starts:
    """Starts of each command from one checkout."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self._of: dict[str, list[Start]] = {name: [] for name in COMMANDS}

    def start(self, name: str, directory: Path, redis_url: str, *, is_counted: bool) -> None:
        """Start a command once, and stop it when it is ready.

        In a directory of this checkout's own: another one's tables may be of another version.
        """
        own = directory / self.checkout.name
        own.mkdir(exist_ok=True)
        one = _started(self.checkout, COMMANDS[name], own, redis_url)
        if is_counted:
            self._of[name].append(one)

    def typical(self, name: str) -> Start:
        """The medians of a command."""
        of = self._of[name]
        return Start(
            median(one.cpu_s for one in of),
            median(one.wall_s for one in of),
            median(one.pss_mb for one in of),
        )


def is_ready(port: int) -> bool:
    """Whether a process answers on its own port that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _started(
    checkout: Checkout, command: tuple[str, ...], directory: Path, redis_url: str
) -> Start:
    port = str(free_port())
    settings = {
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_HTTP_PORT": "0",
        "GATEWAY_ADMIN_PORT": port if command[-1] == "serve" else "0",
        "GATEWAY_RECONCILE_PORT": port,
        "GATEWAY_CONSUMERS_PORT": port,
    }
    began = time.perf_counter()
    with (directory / "start.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=directory,
            env=checkout.environment(**settings),
            stderr=log,
        )
    try:
        while not is_ready(int(port)):
            if process.poll() is not None or time.perf_counter() - began > _TIMEOUT_S:
                raise SystemExit(f"{command}: {(directory / 'start.log').read_text()[-2000:]}")
            time.sleep(0.01)
        wall_s = time.perf_counter() - began
        return Start(cpu_seconds(process.pid), wall_s, sum(shares(process.pid, {}).values()))
    finally:
        process.terminate()
        process.wait(_TIMEOUT_S)
