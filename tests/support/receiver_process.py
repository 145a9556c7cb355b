"""The receiver as a real process: `gateway serve` on free ports, set up by its environment."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec import json

from gateway.local.redis_server import free_port
from gateway.sandbox.portal import SANDBOX
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program

__all__ = ["Receiver", "receiving", "variables_of"]

_PORTALS = json.encode(
    [
        {
            "member_id": SANDBOX.member_id,
            "domain": SANDBOX.domain,
            "application_tokens": [SANDBOX.application_token],
        }
    ]
).decode()


def variables_of(redis_url: str, spool: Path, ports: tuple[int, int]) -> dict[str, str]:
    """What a receiver for the sandbox's portal is told; `ports`: the public one, the admin's."""
    return {
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_HTTP_PORT": str(ports[0]),
        "GATEWAY_ADMIN_PORT": str(ports[1]),
        "GATEWAY_SPOOL_DIR": str(spool),
        "GATEWAY_PORTALS": _PORTALS,
    }


class Receiver(Program):
    """One receiver; `settings` are further variables, `GATEWAY_` left off; `environment` others.

    It knows the sandbox's portal, unless `settings` name a file (`CONFIG`), which then says whom.
    """

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        spool: Path,
        settings: Mapping[str, str] | None = None,
        ports: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`ports` are the public one and the admin's, if they may not be any."""
        self.port, self.admin_port = ports or (free_port(), free_port())
        variables = variables_of(redis_url, spool, (self.port, self.admin_port))
        if "CONFIG" in (settings or {}):
            del variables["GATEWAY_PORTALS"]
        super().__init__(
            (sys.executable, "-m", "gateway", "serve"),
            log_file=directory / f"receiver-{self.port}.log",
            directory=directory,
            environment=variables
            | dict(environment or {})
            | {f"GATEWAY_{name}": value for name, value in (settings or {}).items()},
        )

    async def start(self, *, log: int | None = None, timeout_s: float = 40) -> None:
        """Start, and wait until it listens; `log` as of `launch`."""
        self.launch(log=log)
        await eventually(self._listens_or_has_ended, timeout_s=timeout_s)
        assert self.is_running, f"the receiver ended:\n{self.log[-2000:]}"

    async def metrics(self) -> list[str]:
        """The lines that its admin listener shows."""
        url = f"http://127.0.0.1:{self.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return (await answer.text()).splitlines()

    async def _listens_or_has_ended(self) -> bool:
        return not self.is_running or await is_listening(self.port)


@asynccontextmanager
async def receiving(
    directory: Path, redis_url: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Receiver]:
    """A started receiver with a spool in `directory`; stopped at the end, if it still runs."""
    with Receiver(directory, redis_url, spool=directory / "spool", settings=settings) as receiver:
        await receiver.start()
        yield receiver
        if receiver.is_running:
            assert await receiver.stop() == 0
