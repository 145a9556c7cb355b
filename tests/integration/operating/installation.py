"""An installation of real processes, and its operator, who has the commands alone."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.drill.delivery_load import FIRST_TS
from gateway.local.redis_server import free_port
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX, PortalIdentity
from tests.support.consumer_process import ConsumerProcess
from tests.support.program import Program, surroundings
from tests.support.receiver_process import Receiver, receiving
from tests.support.starting import finished

__all__ = ["INDEX", "OTHER", "Installation", "posted"]

INDEX = "tests.integration.operating.search_index:app"
OTHER = PortalIdentity(
    member_id="010b6886ebc205e43ae65000ee00addb",
    domain="acme.bitrix24.example",
    application_token="fake0other0application0token0000",
)
_PORTALS = [
    {
        "member_id": one.member_id,
        "domain": one.domain,
        "application_tokens": [one.application_token],
    }
    for one in (SANDBOX, OTHER)
]


class Installation:
    """What runs in a directory on a server; `sink_url` is where notifications go.

    `settings` are further variables, `GATEWAY_` left off.
    """

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        sink_url: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory, self.url = directory, redis_url
        self.spool = directory / "spool"
        self.warehouse = directory / "warehouse.duckdb"
        self._settings = {
            "REDIS_URL": redis_url,
            "SPOOL_DIR": str(self.spool),
            "PORTALS": json.dumps(_PORTALS),
            "PUBLISH_DEADLINE_S": "0.5",
            "CONSUMERS_LEASE_S": "2",
            "WAREHOUSE_STREAM": "events",
            "WAREHOUSE_DESTINATION": f"duckdb:///{self.warehouse}",
            "WAREHOUSE_WORK_DIR": str(directory / "work"),
            "WAREHOUSE_MAX_WAIT_S": "0.1",
            "NOTIFIER_STREAM": "events",
            "NOTIFIER_ALLOW_PRIVATE": "true",
        }
        if sink_url:
            route = {"urls": [sink_url], "window_s": 0}
            self._settings["NOTIFIER_ROUTES"] = json.dumps([route])
        self._settings |= settings or {}

    @property
    def environment(self) -> dict[str, str]:
        return {f"GATEWAY_{name}": value for name, value in self._settings.items()}

    def receiving(self) -> AbstractAsyncContextManager[Receiver]:
        """A started receiver; what asks for its state knows where."""
        return receiving(self.directory, self.url, self._settings)

    @contextmanager
    def consuming(self, name: str, **environ: str) -> Iterator[ConsumerProcess]:
        """A started consumer."""
        with ConsumerProcess(name, self.directory, self.environment | environ) as process:
            process.launch()
            yield process
            process.stop_blocking()

    @contextmanager
    def reconciling(self) -> Iterator[Program]:
        """A started `gateway reconcile`."""
        with Program(
            (sys.executable, "-m", "gateway", "reconcile"),
            log_file=self.directory / "reconcile.log",
            environment=self.environment | {"GATEWAY_RECONCILE_PORT": str(free_port())},
            directory=self.directory,
        ) as process:
            process.launch()
            yield process
            process.stop_blocking()

    async def said(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `gateway …` prints, and its exit code."""
        return await finished(
            (sys.executable, "-m", "gateway", *words),
            directory=self.directory,
            environment=surroundings() | self.environment,
        )

    async def said_by_consumers(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `consumers …` prints, and its exit code."""
        return await finished(
            (sys.executable, "-m", "consumers", *words),
            directory=self.directory,
            environment=surroundings() | self.environment,
        )

    async def listed(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """The objects that it prints; it ends with `code`."""
        done = await self.said(*words, "--json")
        assert done.returncode == code, (words, done)
        return [json.loads(line) for line in done.stdout.splitlines()]

    async def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The one object that it prints."""
        (found,) = await self.listed(*words, code=code)
        return found

    async def remedies(self) -> list[str]:
        """The commands that `gateway status` leads to; nobody looks after portals here."""
        return [one["remedy"] for one in (await self.told("status", code=1))["faults"]]


async def posted(receiver: Receiver, portal: PortalIdentity, comment_id: int) -> str:
    """The id that a delivery of this portal was given."""
    body = body_of("comment.updated", portal=portal, ts=FIRST_TS, subject_id=comment_id)
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=head) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return answer.headers["X-Event-Id"]
