"""A portal of the sandbox that has the application, a receiver it delivers to, and reconcilers."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway.bitrix24.bindings import Binding, bind
from gateway.bitrix24.connecting import connect
from gateway.bitrix24.tokens import Tokens
from gateway.contract import APP_SUBJECT, CommentEvent, EntityEvent, Event, decode_event
from gateway.local.process_plan import environment
from gateway.local.redis_server import free_port
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.gaps import Gap
from gateway.reconciler.process import ReconcilerProcess
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.plans import PlanName
from gateway.settings import (
    AdminSettings,
    Bitrix24Settings,
    HttpSettings,
    PortalSettings,
    PublishSettings,
    ReconcileSettings,
    RedisSettings,
    Settings,
    SpoolSettings,
    VaultSettings,
)
from tests.integration.missed_events.reconciler import Reconciler
from tests.support.receiver_process import Receiver

__all__ = ["Scene", "a_scene"]


class Scene:
    """`settings` are those of the receiver and of the reconcilers."""

    def __init__(self, settings: Settings, sandbox: Sandbox, redis: Redis, directory: Path) -> None:
        self.settings = settings
        self.sandbox = sandbox
        self.redis = redis
        self.directory = directory
        self._programs = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make these settings, `GATEWAY_` left off."""
        variables = environment(Settings(), self.settings)
        return {name.removeprefix("GATEWAY_"): value for name, value in variables.items()}

    def change(self, section: str, **changes: Any) -> None:
        """Change settings, for the processes that are started from now on."""
        changed = msgspec.structs.replace(getattr(self.settings, section), **changes)
        self.settings = msgspec.structs.replace(self.settings, **{section: changed})

    async def add_portal(self, *, plan: PlanName = "professional") -> LivePortal:
        """A new portal without limits."""
        return await self.sandbox.add_portal(plan=plan, requests_per_s=1000.0, burst=1000.0)

    async def install(
        self,
        portal: LivePortal,
        *,
        has_queue: bool = True,
        endpoint: str = "",
    ) -> None:
        """Register a portal in the settings, with tokens and bound events.

        It is called at `endpoint`, if that is given.
        """
        handler = self.settings.http.local_url
        await portal.install(handler)
        await portal.sent()
        registered = PortalSettings(
            member_id=portal.member_id,
            domain=portal.domain,
            application_tokens=(portal.application_token,),
        )
        self.settings = msgspec.structs.replace(
            self.settings, portals=(*self.settings.portals, registered)
        )
        grant = portal.grants.issue(self.sandbox.application.client_id, portal.member_id, 1)
        subscription = self.settings.subscription
        queued = subscription.queued
        wanted = [
            Binding(event=row.wire_name, handler=handler)
            for row in subscription.rows
            if row.subject_kind != APP_SUBJECT
        ]
        if has_queue:
            connector = self.settings.bitrix24.auth_connector
            wanted += [Binding(event=event, connector=connector) for event in queued]
        async with connect(self.settings) as bitrix24:
            assert bitrix24.tokens is not None
            await bitrix24.tokens.install(
                Tokens(
                    member_id=portal.member_id,
                    endpoint=endpoint or portal.endpoint,
                    user_id=1,
                    access_token=grant.access_token,
                    expires_at=grant.expires_at,
                    refresh_token=grant.refresh_token,
                    renewed_at=int(time.time()),
                )
            )
            bound = await bind(bitrix24.portal(portal.member_id), wanted)
            assert not bound.failed, bound
            assert not bound.not_in_plan, bound
        portal.calls.clear()

    def give_webhook(self, portal: LivePortal) -> None:
        """Call an installed portal by an inbound webhook from now on, where that is enough."""
        portals = [
            msgspec.structs.replace(one, rest_webhook=portal.webhook_url)
            if one.member_id == portal.member_id
            else one
            for one in self.settings.portals
        ]
        self.settings = msgspec.structs.replace(self.settings, portals=tuple(portals))

    def call_by_webhook(self, portal: LivePortal) -> None:
        """Call an installed portal by an inbound webhook only, and know no application."""
        self.give_webhook(portal)
        self.change("bitrix24", client_id="", client_secret="")

    async def receive(self) -> Receiver:
        """Start a receiver, at the address where portals deliver."""
        one = Receiver(
            self.directory,
            self.settings.redis.url,
            spool=self.directory / "spool",
            settings=self.environment,
            ports=(self.settings.http.port, self.settings.admin.port),
        )
        self._programs.enter_context(one)
        await one.start()
        return one

    async def once(self) -> bool:
        """Go one round, within this process."""
        return await ReconcilerProcess(self.settings).once()

    def start(self, *arguments: str, module: str = "gateway") -> Reconciler:
        """Start a process of `gateway reconcile`."""
        one = Reconciler(
            self.directory, self.environment, module=module, arguments=("reconcile", *arguments)
        )
        self._programs.enter_context(one)
        one.launch()
        return one

    async def all_events(self) -> list[Event]:
        """What is on the stream, in its order."""
        found = []
        for key in self.settings.redis.streams.keys("events"):
            entries: Any = await self.redis.xrange(key)
            found += [decode_event(fields[b"event"]) for _, fields in entries]
        return found

    async def events(self) -> list[CommentEvent]:
        """What of it is about comments."""
        return [event for event in await self.all_events() if isinstance(event, CommentEvent)]

    async def told(self) -> list[tuple[int, str, bool]]:
        """Comment, kind and whether it was recovered, of each event on the stream."""
        return [
            (event.data.comment_id, event.type.rpartition(".")[2], event.recovered is True)
            for event in await self.events()
        ]

    async def told_of_entities(self) -> list[tuple[str, str, bool]]:
        """Subject, kind and whether it was recovered, of each event about another entity."""
        return [
            (event.subject, event.type.rpartition(".")[2], event.recovered is True)
            for event in await self.all_events()
            if isinstance(event, EntityEvent)
        ]

    async def gaps(self, portal: LivePortal) -> list[Gap]:
        return await GapBook(self.redis, prefix="b24").of(portal.member_id)

    def close(self) -> None:
        """End the processes that it has started."""
        self._programs.close()


def settings_for(sandbox: Sandbox, redis_url: str, directory: Path) -> Settings:
    return Settings(
        redis=RedisSettings(url=redis_url),
        http=HttpSettings(port=free_port()),
        admin=AdminSettings(port=free_port()),
        publish=PublishSettings(),
        spool=SpoolSettings(dir=str(directory / "spool")),
        vault=VaultSettings(keys=(Fernet.generate_key().decode(),)),
        bitrix24=Bitrix24Settings(
            authorization_server=sandbox.authorization_url,
            client_id=sandbox.application.client_id,
            client_secret=sandbox.application.client_secret,
            auth_connector="gateway",
            # As fast as tests ask: how limits are kept to is tested elsewhere.
            requests_per_s=1000.0,
            burst=1000,
            request_timeout_s=5.0,
            call_timeout_s=10.0,
        ),
        reconcile=ReconcileSettings(settle_s=1.0, every_s=0.3, lease_s=2.0, spool_patience_s=60.0),
    )


@asynccontextmanager
async def a_scene(
    sandbox: Sandbox, redis: Redis, redis_url: str, directory: Path
) -> AsyncIterator[Scene]:
    """A scene without portals; its processes are ended at the end."""
    scene = Scene(settings_for(sandbox, redis_url, directory), sandbox, redis, directory)
    try:
        yield scene
    finally:
        scene.close()
