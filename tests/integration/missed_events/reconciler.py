"""`gateway reconcile` as a real process, set up by its environment."""

import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.local.redis_server import free_port
from tests.support.program import Program

__all__ = ["Reconciler"]


class Reconciler(Program):
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
        environment = {
            "GATEWAY_RECONCILE_PORT": str(self.port),
            **{f"GATEWAY_{name}": value for name, value in settings.items()},
        }
        super().__init__(
            (sys.executable, "-m", module, *arguments),
            log_file=directory / f"reconcile-{self.port}.log",
            directory=directory,
            environment=environment,
        )
