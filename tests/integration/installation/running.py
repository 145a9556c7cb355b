"""A receiver in the test's own process, with everything behind it real."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

from gateway.contract import AppEvent, CommentEvent, OtherEvent, PortalEvent, decode_event
from gateway.installation.assembly import open_application
from gateway.installation.lifecycle import Lifecycle
from gateway.portals.directory import Directory
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.store import Spool
from gateway.redis_access import connections
from gateway.sandbox.assembly import Sandbox
from gateway.settings import Bitrix24Settings, RedisSettings, Settings, SpoolSettings, VaultSettings
from gateway.traffic.rate_watch import RateWatch
from gateway.web.app_events import AppEvents
from gateway.web.install_page import install_page
from gateway.web.public_server import PublicServer
from gateway.web.receiver import Receiver
from gateway.web.senders import Senders

__all__ = ["Gateway", "open_gateway", "settings_for"]


class Gateway:
    """A receiver that listens at `url`."""

    def __init__(
        self,
        *,
        settings: Settings,
        url: str,
        directory: Directory,
        lifecycle: Lifecycle,
        rates: RateWatch,
        control: Redis,
    ) -> None:
        self.settings = settings
        self.url = url
        self.page_url = url.replace(settings.http.path, settings.http.install_path)
        self.directory = directory
        self.lifecycle = lifecycle
        self.rates = rates
        self.registry = Registry(control, prefix=settings.redis.prefix)
        self.facts = PortalFacts(control, prefix=settings.redis.prefix)
        self._control = control

    async def events(self) -> list[CommentEvent | AppEvent | PortalEvent | OtherEvent]:
        """What is on the stream."""
        entries: Any = await self._control.xrange(self.settings.redis.streams.key("events", 0))
        return [decode_event(fields[b"event"]) for _, fields in entries]

    async def registered(self) -> list[str]:
        """The portals that may send, by member ids."""
        return [one.member_id for one in (await self.registry.read()).registrations]

    def waiting(self) -> list[Path]:
        """The tasks that are written down."""
        return sorted(Path(self.settings.spool.dir, "lifecycle").glob("[!.]*"))


def settings_for(
    sandbox: Sandbox, *, redis_url: str, spool_dir: Path, key: str, **changes: Any
) -> Settings:
    """The settings of a gateway whose application the sandbox's portals install."""
    options: dict[str, Any] = {
        "authorization_server": sandbox.authorization_url,
        "client_id": sandbox.application.client_id,
        "client_secret": sandbox.application.client_secret,
        "request_timeout_s": 5.0,
        "call_timeout_s": 10.0,
    }
    return Settings(
        redis=RedisSettings(url=redis_url),
        spool=SpoolSettings(dir=str(spool_dir)),
        vault=VaultSettings(keys=(key,)),
        bitrix24=Bitrix24Settings(**options | changes),
    )


@asynccontextmanager
async def open_gateway(settings: Settings, *, port: int = 0) -> AsyncIterator[Gateway]:
    """A receiver with these settings; on a free port, or on this one."""
    async with AsyncExitStack() as stack:
        control = connections.control(settings.redis.url, timeout_s=0.5)
        stack.push_async_callback(control.aclose)
        senders = Senders(settings, control)
        application = await stack.enter_async_context(
            open_application(settings, control, senders.follower)
        )
        spool = await Spool.open(Path(settings.spool.dir), max_bytes=settings.spool.max_bytes)
        stack.push_async_callback(spool.close)
        publisher = Publisher(settings.redis, settings.publish, spool)
        publisher.start()
        stack.push_async_callback(publisher.close)
        receiver = Receiver(
            senders.directory,
            publisher,
            settings.redis.streams,
            settings.http,
            app_events=AppEvents(
                publisher,
                settings.redis.streams,
                lifecycle=application.lifecycle,
                signals=application.signals,
                counts=senders.rates.counts,
            ),
            event_tokens=application.event_tokens,
            page=install_page(settings, application),
            quarantine=senders.quarantining,
            counts=senders.rates.counts,
        )
        await senders.start()
        stack.push_async_callback(senders.close)
        application.start()
        stack.push_async_callback(application.close)
        runner = web.ServerRunner(PublicServer(receiver, settings.http, max_connections=100))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield Gateway(
            settings=settings,
            url=f"http://127.0.0.1:{runner.addresses[0][1]}{settings.http.path}",
            directory=senders.directory,
            lifecycle=application.lifecycle,
            rates=senders.rates,
            control=control,
        )
