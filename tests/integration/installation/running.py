"""A receiver in the test's own process, with everything behind it real."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

from gateway.contract import Event, decode_event
from gateway.installation.lifecycle import Lifecycle
from gateway.portals.directory import Directory
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.sandbox.assembly import Sandbox
from gateway.settings import Bitrix24Settings, RedisSettings, Settings, SpoolSettings, VaultSettings
from gateway.traffic.rate_watch import RateWatch
from gateway.web.assembly import assemble

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

    async def events(self) -> list[Event]:
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
        parts = await stack.enter_async_context(assemble(settings, control))
        stack.push_async_callback(parts.close)
        await parts.start()
        await parts.public.setup()
        # Closed first, so that no test waits for the last requests on the portals' connections.
        stack.push_async_callback(parts.public.cleanup)
        await web.TCPSite(parts.public, "127.0.0.1", port).start()
        yield Gateway(
            settings=settings,
            url=f"http://127.0.0.1:{parts.public.addresses[0][1]}{settings.http.path}",
            directory=parts.senders.directory,
            lifecycle=parts.application.lifecycle,
            rates=parts.senders.rates,
            control=control,
        )
