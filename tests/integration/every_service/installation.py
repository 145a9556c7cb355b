"""A gateway with everything that it has, as real processes, installed in a portal.

Each process has its account of deploy/redis/users.acl, and no other rights.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import CommentEvent, EntityEvent, Event, decode_event
from gateway.event_subscription import EventSubscription
from gateway.local.process_plan import environment
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import (
    AdminSettings,
    Bitrix24Settings,
    ConsumersSettings,
    EndpointSettings,
    EventSettings,
    FeedSettings,
    HttpSettings,
    NotifierSettings,
    ReconcileSettings,
    RedisSettings,
    RelaySettings,
    RouteSettings,
    Settings,
    SpoolSettings,
    VaultSettings,
    WarehouseSettings,
)
from tests.integration.feed.feed_client import token
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.redis_users import denied, url_of

__all__ = ["TAKEN", "Installation"]

TAKEN: Final = (
    EventSettings(name="onCrmTimelineComment*"),
    EventSettings(name="onCrmDeal*", fetch="crm.item.get"),
    EventSettings(name="onTask*", fetch="tasks.task.get"),
)
_ABOUT: Final = ("bitrix24.crm.*", "bitrix24.task.*")
"""All types of TAKEN: those of the application itself are told to nobody here."""
_CONSUMERS: Final = ("enricher", "warehouse", "notifier", "relay", "feed")
_GROUPS: Final = {"events": {"enricher"}, "comments": {"warehouse", "notifier", "relay-php"}}


class Installation:
    """`receiver` is the gateway's own, which portals deliver to."""

    def __init__(
        self,
        sandbox: Sandbox,
        server: RedisServer,
        directory: Path,
        *,
        warehouse_url: str,
        notification_url: str,
        push_url: str,
        push_secret: str,
    ) -> None:
        port = free_port()
        self.server = server
        self.directory = directory
        self.settings = Settings(
            redis=RedisSettings(url=server.url, partitions=2),
            http=HttpSettings(port=port),
            admin=AdminSettings(port=free_port()),
            spool=SpoolSettings(dir=str(directory / "spool")),
            vault=VaultSettings(keys=(Fernet.generate_key().decode(),)),
            consumers=ConsumersSettings(lease_s=2.0),
            events=TAKEN,
            bitrix24=Bitrix24Settings(
                authorization_server=sandbox.authorization_url,
                client_id=sandbox.application.client_id,
                client_secret=sandbox.application.client_secret,
                public_url=f"http://127.0.0.1:{port}",
                requests_per_s=1000.0,
                burst=1000,
            ),
            reconcile=ReconcileSettings(settle_s=1.0, every_s=1.0, lease_s=2.0),
            warehouse=WarehouseSettings(destination=warehouse_url, max_wait_s=0.3),
            notifier=NotifierSettings(
                allow_private=True,
                routes=(
                    RouteSettings(
                        name="everything",
                        urls=(notification_url,),
                        events=_ABOUT,
                        title="{{ event.id }} {{ count }}",
                        window_s=0,
                        timeout_s=2.0,
                    ),
                ),
            ),
            # Whoever has the token sees what the other ones are told.
            feed=FeedSettings(port=free_port(), tokens=(token(types=_ABOUT),)),
            relay=RelaySettings(
                allow_private=True,
                endpoints=(
                    EndpointSettings(
                        name="php", url=push_url, secrets=(push_secret,), types=_ABOUT
                    ),
                ),
            ),
        )
        self._programs = ExitStack()
        self.receiver = self._program("receiver", "gateway", "serve")

    def start(self) -> None:
        """Start everything, without waiting."""
        self.receiver.launch()
        self._program("reconciler", "gateway", "reconcile").launch()
        for name in _CONSUMERS:
            self._program(name, "consumers", "run", name).launch()

    async def until_ready(self) -> None:
        """Wait until the receiver listens and each group is there: what comes now is for all."""

        async def is_ready() -> bool:
            for stream, groups in _GROUPS.items():
                if not groups <= await self._groups(stream):
                    return False
            ports = (self.settings.http.port, self.settings.feed.port)
            return all([await is_listening(port) for port in ports])

        # Eight processes begin at once.
        await eventually(is_ready, timeout_s=200)

    async def add_to(self, portal: LivePortal) -> None:
        """Install the application in a portal, and wait until everything is bound there."""
        await portal.install(self.settings.http.local_url)
        queued = EventSubscription(TAKEN).queued
        await eventually(
            lambda: all(
                any(portal.bindings.to_tell(name))
                and any(portal.bindings.to_tell(name, is_offline=True))
                for name in queued
            )
        )

    async def told(self) -> list[Event]:
        """What is on the stream of enriched events, of each subject in its order, once each."""
        found: dict[str, Event] = {}
        async with connections.control(self.server.url) as redis:
            for key in self.settings.redis.streams.keys("comments"):
                entries: Any = await redis.xrange(key)
                for _id, fields in entries:
                    event = decode_event(fields[b"event"])
                    if _is_counted(event):
                        found.setdefault(event.id, event)
        return list(found.values())

    async def refusals(self) -> list[str]:
        """What Redis has refused since it was started last, and what processes say of earlier."""
        async with connections.control(self.server.url) as redis:
            refused = await denied(redis)
        for log in self.directory.glob("*.log"):
            lines = log.read_text().splitlines()
            refused += [line for line in lines if "NOPERM" in line or "may not" in line]
        return refused

    def close(self) -> None:
        self._programs.close()

    def _program(self, account: str, *command: str) -> Program:
        url = url_of(self.server.url, account)
        program = Program(
            (sys.executable, "-m", *command),
            log_file=self.directory / f"{command[-1]}.log",
            environment=environment(Settings(), self.settings) | {"GATEWAY_REDIS_URL": url},
            directory=self.directory,
        )
        return self._programs.enter_context(program)

    async def _groups(self, stream: str) -> set[str]:
        """The groups that are on every partition."""
        async with connections.control(self.server.url) as redis:
            keys = self.settings.redis.streams.keys(stream)
            return set.intersection(*[await _groups_on(redis, key) for key in keys])


async def _groups_on(redis: Redis, key: str) -> set[str]:
    try:
        groups: Any = await redis.xinfo_groups(key)
    except ResponseError:  # there is no such stream yet
        return set()
    return {group["name"].decode() for group in groups}


def _is_counted(event: Event) -> bool:
    return isinstance(event, CommentEvent | EntityEvent)
