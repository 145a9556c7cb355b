"""What the soak takes place in: a cluster, a portal, a database, and every kind of consumer."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography.fernet import Fernet

from gateway.contract import Streams
from gateway.local.redis_server import RedisServer, find_server
from gateway.sandbox.assembly import open_sandbox
from gateway.sandbox.faults import error_page
from gateway.sandbox.live_portal import LivePortal
from tests.faults.clock import Clock
from tests.support.consumer_process import Worker
from tests.support.postgres import PostgresServer
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.server_matrix import NotHere
from tests.support.stage import SAFE

__all__ = ["GROUP", "STREAMS", "World", "open_world"]

STREAMS: Final = Streams(partitions=4)
GROUP: Final = "search-index"
PORTAL: Final = "portal"
_COMMENTS: Final = 500
_SERVICE: Final = "tests.integration.runtime.service:app"
_WITNESS: Final = "tests.faults.soak.witness:app"


class World:
    """Everything that runs; `workers` may be hurt, the `witness` is not."""

    def __init__(
        self,
        directory: Path,
        nodes: list[RedisServer],
        portal: LivePortal,
        postgres: PostgresServer,
        database: str,
    ) -> None:
        self.directory = directory
        self.nodes = nodes
        self.url = url_of(nodes)
        self.portal = portal
        self.postgres = postgres
        self._database = database
        self.clock = _clock(directory)
        self.comment_ids = [
            portal.comments.add(entity_type="deal", entity_id=2, text=f"text {number}", author_id=7)
            for number in range(_COMMENTS)
        ]
        self.effects = directory / "effects"
        self.notes = directory / "witness-notes"
        self.audit_dir = directory / "audit"
        common = self._environment()
        hurt = {**common, **(self.clock.environment if self.clock else {})}
        self.services = [Worker(_SERVICE, directory, hurt) for _ in range(2)]
        self.enricher = Worker("enricher", directory, hurt)
        self.warehouse = Worker("warehouse", directory, hurt)
        self.audit = Worker("audit", directory, hurt)
        self.witness = Worker(_WITNESS, directory, common)

    @property
    def workers(self) -> list[Worker]:
        """Those that may be hurt."""
        return [*self.services, self.enricher, self.warehouse, self.audit]

    @property
    def everybody(self) -> list[Worker]:
        """All processes, none of which ends by itself."""
        return [*self.workers, self.witness]

    def groups(self) -> dict[str, tuple[str, list[Worker]]]:
        """The stream of each group, and its processes."""
        return {
            GROUP: ("events", self.services),
            "audit": ("events", [self.audit]),
            "enricher": ("events", [self.enricher]),
            "warehouse": ("comments", [self.warehouse]),
            "witness": ("comments", [self.witness]),
        }

    def node_of(self, chance: random.Random) -> RedisServer:
        """Any node."""
        return chance.choice(self.nodes)

    def make_unreadable(self, comment_id: int | None) -> None:
        """The portal fails at every request that one comment is in; None: it fails at none."""

        async def fail(_: web.Request, parameters: Mapping[str, Any]) -> web.StreamResponse | None:
            commands = parameters.get("cmd", parameters)
            asked = list(commands.values()) if isinstance(commands, dict) else list(commands)
            is_in = any(str(one).split("id=")[-1] == str(comment_id) for one in asked)
            return error_page(500) if is_in else None

        self.portal.faults.mood = fail if comment_id is not None else None

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse's database."""
        return self.postgres.asking(self._database)(statement)

    def execute(self, statement: str) -> None:
        """Change something in the warehouse's database."""
        self.postgres.execute(self._database, statement)

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_REDIS_URL": self.url,
            "GATEWAY_REDIS_PARTITIONS": str(STREAMS.partitions),
            "GATEWAY_CONSUMERS_LEASE_S": "2",
            "GATEWAY_CONSUMERS_STUCK_S": "60",
            "GATEWAY_VAULT_KEYS": Fernet.generate_key().decode(),
            "GATEWAY_PORTALS": json.dumps(
                [
                    {
                        "member_id": PORTAL,
                        "domain": "acme.bitrix24.com",
                        "application_tokens": ["fake0application0token"],
                        "rest_webhook": self.portal.webhook_url,
                    }
                ]
            ),
            "GATEWAY_ENRICHER_REFETCH_AFTER_S": "20",
            "GATEWAY_BITRIX24_REQUEST_TIMEOUT_S": "3",
            "GATEWAY_WAREHOUSE_DESTINATION": self.postgres.url(self._database),
            "GATEWAY_WAREHOUSE_WORK_DIR": str(self.directory / "warehouse"),
            "GATEWAY_AUDIT_DIR": str(self.audit_dir),
            "SERVICE_EFFECTS": str(self.effects),
            "SERVICE_TAKES_S": "0.01",  # so that a kill comes in the middle of handlers
            "WITNESS_NOTES": str(self.notes),
        }


def _clock(directory: Path) -> Clock | None:
    try:
        return Clock(directory)
    except NotHere as reason:
        print(f"the clock stays right: {reason}")
        return None


@asynccontextmanager
async def open_world(directory: Path) -> AsyncIterator[World]:
    """Everything, started; and stopped by its process ids at the end."""
    postgres = PostgresServer()
    try:
        await asyncio.to_thread(postgres.start)
        database = postgres.new_database()
        async with (
            open_sandbox() as sandbox,
            redis_cluster(find_server(), directory / "redis", primaries=2, options=SAFE) as nodes,
        ):
            portal = await sandbox.add_portal(member_id=PORTAL, requests_per_s=1000, burst=1000)
            world = World(directory, nodes, portal, postgres, database)
            with ExitStack() as processes:
                for worker in world.everybody:
                    processes.enter_context(worker).launch()
                yield world
                for worker in world.everybody:
                    await worker.stop()
    finally:
        postgres.remove()
