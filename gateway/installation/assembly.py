"""Makes what a receiver process needs for the application's life out of the settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct
from redis.asyncio import Redis

from gateway.bitrix24.connecting import connect
from gateway.installation.checks import Checks
from gateway.installation.event_tokens import EventTokens
from gateway.installation.installer import Installer
from gateway.installation.journal import Journal
from gateway.installation.lifecycle import Lifecycle
from gateway.installation.steps import Installing, Steps
from gateway.installation.token_owner import TokenInquiry
from gateway.installation.uninstalling import Uninstaller
from gateway.portals.binding import bind_portal
from gateway.portals.directory import portals_of
from gateway.portals.facts import PortalFacts
from gateway.portals.following import Follower
from gateway.portals.offline_signalling import OfflineSignals
from gateway.portals.registry import Registry
from gateway.publishing.publish_once import OncePublisher
from gateway.settings import Settings
from gateway.vault.encryption import Vault

__all__ = ["ApplicationParts", "open_application"]


class ApplicationParts(Struct, frozen=True):
    """What is done about what portals tell the application of itself, and with the tokens in it.

    Where the settings have no application, nothing is installed, and tokens of events are not
    taken.
    """

    lifecycle: Lifecycle
    signals: OfflineSignals
    installing: Installing | None
    event_tokens: EventTokens | None

    def start(self) -> None:
        """Start all of it."""
        self.lifecycle.start()
        self.signals.start()
        if self.event_tokens is not None:
            self.event_tokens.start()

    async def close(self) -> None:
        """End all of it."""
        if self.event_tokens is not None:
            await self.event_tokens.close()
        await self.signals.close()
        await self.lifecycle.close()


@asynccontextmanager
async def open_application(
    settings: Settings, control: Redis, follower: Follower
) -> AsyncIterator[ApplicationParts]:
    """As the settings have it; connections are closed at the end.

    Raises OperatorError for secrets that are missing or wrong.
    """
    prefix = settings.redis.prefix
    registry = Registry(control, prefix=prefix)
    facts = PortalFacts(control, prefix=prefix)
    async with AsyncExitStack() as stack:
        publisher = OncePublisher(settings.redis, settings.publish)
        stack.push_async_callback(publisher.close)
        tokens, installing = None, None
        vault = Vault.of(settings.vault)
        if settings.bitrix24.listed:
            bitrix24 = await stack.enter_async_context(connect(settings))
            tokens = bitrix24.tokens
            # connect() has seen to these.
            assert tokens is not None and vault is not None  # noqa: PT018, S101
            installer = Installer(
                bitrix24=bitrix24,
                asking=TokenInquiry(bitrix24.applications, Checks(control, prefix=prefix)),
                tokens=tokens,
                facts=facts,
                registry=registry,
                follower=follower,
                allow_portals=settings.bitrix24.allow_portals,
            )
            binds = partial(bind_portal, bitrix24=bitrix24, facts=facts, settings=settings)
            installing = Installing(installer, vault, binds)
        uninstaller = Uninstaller(
            tokens=tokens,
            facts=facts,
            registry=registry,
            follower=follower,
            settled=frozenset(
                (portal.member_id, digest)
                for portal in portals_of(settings.portals)
                for digest in portal.digests
            ),
        )
        steps = Steps(
            publisher=publisher,
            uninstaller=uninstaller,
            installing=installing,
        )
        yield ApplicationParts(
            Lifecycle(Journal(Path(settings.spool.dir)), steps, installing),
            OfflineSignals(control, prefix=prefix),
            installing,
            EventTokens(tokens, facts) if tokens is not None else None,
        )
