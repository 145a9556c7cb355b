"""What the soak takes place in: a cluster, a portal, receivers, and every kind of consumer."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.background import Background
from gateway.contract import Streams
from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from gateway.sandbox.assembly import open_sandbox
from gateway.sandbox.faults import error_page
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.portal import SANDBOX
from tests.faults.clock import Clock
from tests.faults.soak.feed_reader import FeedReader
from tests.integration.feed.feed_client import FeedClient, token
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.integration.relay.receivers import SECRET, receiver
from tests.integration.relay.receivers import Receiver as PushedTo
from tests.support.connections import is_listening
from tests.support.consumer_process import SERVICE, Worker
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer
from tests.support.program import Program
from tests.support.receiver_process import Receiver
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.server_matrix import NotHere
from tests.support.stage import SAFE

__all__ = ["GROUP", "STREAMS", "World", "open_world"]

STREAMS: Final = Streams(partitions=4)
GROUP: Final = "search-index"
_COMMENTS: Final = 500
_WITNESS: Final = "tests.faults.soak.witness:app"
_KEPT_DAYS: Final = 300 / 86_400
"""Retention trims the streams meanwhile, so that restarts of Redis do not get ever longer."""
_NODE_TIMEOUT_MS: Final = 5000
_START_S: Final = 200.0


class World:
    """Everything that runs; `workers` and `receivers` may be hurt, the `witness` is not."""

    def __init__(
        self,
        directory: Path,
        nodes: list[RedisServer],
        portal: LivePortal,
        postgres: PostgresServer,
        *,
        has_replicas: bool,
        notified: HttpSink,
        pushed_to: PushedTo,
    ) -> None:
        self.directory = directory
        self.nodes = nodes
        self.has_replicas = has_replicas
        self.url = url_of(nodes)
        self.portal = portal
        self.postgres = postgres
        self.notified = notified
        self.pushed_to = pushed_to
        self.feed_port = free_port()
        self._database = postgres.new_database()
        self.clock = _clock(directory)
        self.comment_ids = [
            portal.comments.add(entity_type="deal", entity_id=2, text=f"text {number}", author_id=7)
            for number in range(_COMMENTS)
        ]
        self.effects = directory / "effects"
        self.notes = directory / "witness-notes"
        self.audit_dir = directory / "audit"
        self.spool_dir = directory / "spool"
        common = self._environment()
        hurt = {**common, **(self.clock.environment if self.clock else {})}
        self.services = [Worker(SERVICE, directory, hurt) for _ in range(2)]
        self.enricher = Worker("enricher", directory, hurt)
        self.warehouse = Worker("warehouse", directory, hurt)
        self.audit = Worker("audit", directory, hurt)
        self.notifier = Worker("notifier", directory, hurt)
        # With the right clock, as its receivers have, who refuse what is of another time.
        self.relay = Worker("relay", directory, common)
        self.feed = Worker("feed", directory, hurt)
        self.witness = Worker(_WITNESS, directory, common)
        # Not with the other clock: for how long a request waits is told by nobody else's.
        self.receivers = [
            Receiver(directory, self.url, spool=self.spool_dir, environment=common)
            for _ in range(2)
        ]

    @property
    def workers(self) -> list[Worker]:
        """The consumers that may be hurt."""
        consumers = (self.enricher, self.warehouse, self.audit, self.notifier, self.relay)
        return [*self.services, *consumers, self.feed]

    @property
    def consumers(self) -> list[Worker]:
        """All consumers."""
        return [*self.workers, self.witness]

    @property
    def everybody(self) -> list[Program]:
        """All processes, none of which ends by itself."""
        return [*self.receivers, *self.consumers]

    def groups(self) -> dict[str, tuple[str, list[Worker]]]:
        """The stream of each group, and its processes."""
        return {
            GROUP: ("events", self.services),
            "audit": ("events", [self.audit]),
            "enricher": ("events", [self.enricher]),
            "warehouse": ("comments", [self.warehouse]),
            "notifier": ("comments", [self.notifier]),
            "relay-site": ("comments", [self.relay]),
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

    async def until_ready(self) -> None:
        """Wait until receivers listen and each group is there: what comes now is for all."""
        async with connections.control(self.url) as redis:

            async def is_ready() -> bool:
                for group, (stream, _workers) in self.groups().items():
                    for key in STREAMS.keys(stream):
                        if group not in await _groups_on(redis, key):
                            return False
                ports = (self.feed_port, *(one.port for one in self.receivers))
                return all([await is_listening(port) for port in ports])

            await eventually(is_ready, timeout_s=_START_S)

    def _environment(self) -> dict[str, str]:
        portal = {
            "member_id": SANDBOX.member_id,
            "domain": SANDBOX.domain,
            "application_tokens": [SANDBOX.application_token],
            "rest_webhook": self.portal.webhook_url,
        }
        route = {
            "name": "people",
            "urls": [self.notified.url],
            "title": "{{ event.id }} {{ count }}",
            "window_s": 0,
            "timeout_s": 60,  # a message that is not answered is told again, with what came since
        }
        endpoint = {"name": "site", "url": self.pushed_to.url, "secrets": [SECRET], "timeout_s": 30}
        return {
            "GATEWAY_REDIS_URL": self.url,
            "GATEWAY_REDIS_PARTITIONS": str(STREAMS.partitions),
            "GATEWAY_PUBLISH_ACK": "replicated:1" if self.has_replicas else "written",
            "GATEWAY_RETENTION_DAYS": f"{_KEPT_DAYS:.6f}",
            "GATEWAY_CONSUMERS_STUCK_S": "60",
            "GATEWAY_VAULT_KEYS": Fernet.generate_key().decode(),
            "GATEWAY_PORTALS": json.dumps([portal]),
            "GATEWAY_ENRICHER_REFETCH_AFTER_S": "20",
            "GATEWAY_BITRIX24_REQUEST_TIMEOUT_S": "3",
            "GATEWAY_WAREHOUSE_DESTINATION": self.postgres.url(self._database),
            "GATEWAY_WAREHOUSE_WORK_DIR": str(self.directory / "warehouse"),
            "GATEWAY_AUDIT_DIR": str(self.audit_dir),
            "GATEWAY_NOTIFIER_ALLOW_PRIVATE": "true",
            "GATEWAY_NOTIFIER_ROUTES": json.dumps([route]),
            "GATEWAY_RELAY_ALLOW_PRIVATE": "true",
            "GATEWAY_RELAY_LONGEST_PAUSE_S": "2",
            "GATEWAY_RELAY_ENDPOINTS": json.dumps([endpoint]),
            "GATEWAY_FEED_PORT": str(self.feed_port),
            "GATEWAY_FEED_TOKENS": msgspec.json.encode([token()]).decode(),
            "SERVICE_EFFECTS": str(self.effects),
            "SERVICE_TAKES_S": "0.01",  # so that a kill comes in the middle of handlers
            "WITNESS_NOTES": str(self.notes),
        }


async def _groups_on(redis: Redis, key: str) -> set[str]:
    try:
        rows: Any = await redis.xinfo_groups(key)
    except ResponseError:  # there is no such stream yet
        return set()
    return {row["name"].decode() for row in rows}


def _clock(directory: Path) -> Clock | None:
    try:
        return Clock(directory)
    except NotHere as reason:
        print(f"the clock stays right: {reason}")
        return None


@asynccontextmanager
async def open_world(
    directory: Path, binary: ServerBinary, *, primaries: int, replicas: int
) -> AsyncIterator[tuple[World, FeedReader]]:
    """Everything, started; and stopped by its process ids at the end."""
    postgres = PostgresServer()
    try:
        await asyncio.to_thread(postgres.start)
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(open_sandbox())
            options = (*SAFE, "--cluster-node-timeout", str(_NODE_TIMEOUT_MS))
            nodes = await stack.enter_async_context(
                redis_cluster(
                    binary,
                    directory / "redis",
                    primaries=primaries,
                    replicas=replicas,
                    options=options,
                )
            )
            world = World(
                directory,
                nodes,
                await sandbox.add_portal(
                    member_id=SANDBOX.member_id, requests_per_s=1000, burst=1000
                ),
                postgres,
                has_replicas=replicas > 0,
                notified=await stack.enter_async_context(http_sink()),
                pushed_to=await stack.enter_async_context(receiver()),
            )
            for process in world.everybody:
                stack.enter_context(process).launch()
            await world.until_ready()
            session = await stack.enter_async_context(aiohttp.ClientSession())
            reader = FeedReader(FeedClient(world.feed_port, session))
            reading = Background(reader.run, name="a reader of the feed")
            reading.start()
            stack.push_async_callback(reading.close)
            await eventually(lambda: reader.is_reading)
            yield world, reader
            for process in world.everybody:
                await process.stop()
    finally:
        postgres.remove()
