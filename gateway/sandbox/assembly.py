"""Opens the sandbox: an authorization server and portals, each on a free port of this machine."""

import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp import web

from gateway.sandbox.delivering import DeliveryPace
from gateway.sandbox.grants import Grants, RegisteredApplication
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.oauth_server import OAuthServer
from gateway.sandbox.plans import PLANS, PlanName
from gateway.sandbox.rest import portal_app

__all__ = ["Sandbox", "open_sandbox"]


class Sandbox:
    """Runs an authorization server and the portals that are added to it; made by `open_sandbox`.

    `application` is the one that portals install if nothing else is said, `authorization` the
    server that knows it, at `authorization_url`. A second sandbox is another authorization server,
    which knows nothing of the first one's portals.
    """

    def __init__(
        self,
        *,
        stack: AsyncExitStack,
        session: aiohttp.ClientSession,
        tls: ssl.SSLContext | None,
        pace: DeliveryPace,
        clock: Callable[[], float],
        application: RegisteredApplication | None,
    ) -> None:
        self._stack = stack
        self._session = session
        self._tls = tls
        self._pace = pace
        self._clock = clock
        self.grants = Grants(clock)
        self.portals: dict[str, LivePortal] = {}
        self.authorization = OAuthServer(self.grants, self.portals, clock)
        self.application = self.add_application(application)

    @property
    def authorization_url(self) -> str:
        """The root of the authorization server, ending in a slash."""
        return self.authorization.url

    async def start(self) -> None:
        """Let the authorization server listen."""
        self.authorization.url = await self._listen(self.authorization.app())

    def add_application(self, known: RegisteredApplication | None = None) -> RegisteredApplication:
        """Register one more application with the authorization server: a new one, or this one."""
        application = known or RegisteredApplication(
            client_id=f"local.fake{secrets.token_hex(7)}",
            client_secret=f"fakesecret{secrets.token_hex(20)}",
        )
        self.authorization.applications[application.client_id] = application
        return application

    async def add_portal(
        self,
        *,
        member_id: str | None = None,
        plan: PlanName = "professional",
        requests_per_s: float | None = None,
        burst: float | None = None,
        first_comment_id: int = 1,
    ) -> LivePortal:
        """A new portal on a port of its own; limits that are not given are those of the plan."""
        chosen = PLANS[plan]
        portal = LivePortal(
            member_id=member_id or secrets.token_hex(16),
            plan=chosen,
            requests_per_s=chosen.requests_per_s if requests_per_s is None else requests_per_s,
            burst=chosen.burst if burst is None else burst,
            application=self.application,
            grants=self.grants,
            server_endpoint=f"{self.authorization_url}rest/",
            session=self._session,
            pace=self._pace,
            clock=self._clock,
            first_comment_id=first_comment_id,
        )
        self._stack.push_async_callback(portal.close)
        portal.move_to(await self._listen(portal_app(portal)))
        self.portals[portal.member_id] = portal
        return portal

    async def rename(self, portal: LivePortal) -> None:
        """Move a portal to another port, as to another domain; the old one redirects there.

        Callers find the new address in what the authorization server says.
        https://apidocs.bitrix24.com/settings/how-to-call-rest-api/change-domen.html
        """
        portal.move_to(await self._listen(portal_app(portal)))

    async def _listen(self, app: web.Application) -> str:
        """Serve on a free port until the sandbox ends; the URL, ending in a slash."""
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/"


@asynccontextmanager
async def open_sandbox(
    *,
    tls: ssl.SSLContext | None = None,
    pace: DeliveryPace | None = None,
    clock: Callable[[], float] = time.time,
    application: RegisteredApplication | None = None,
) -> AsyncIterator[Sandbox]:
    """A sandbox without portals, closed at the end with all that it has still to send.

    `application` is one that another sandbox knows, too, as one from the market may be.

    With `tls`, all of its servers speak HTTPS. `clock` gives Unix seconds, for all times that are
    told and for expiry; how many requests a second there are is counted by a clock of its own.
    """
    chosen = pace or DeliveryPace()
    timeout = aiohttp.ClientTimeout(total=chosen.timeout_s)
    async with AsyncExitStack() as stack:
        # Without a cookie jar and a limit: handlers have nothing to do with one another.
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        sandbox = Sandbox(
            stack=stack,
            session=session,
            tls=tls,
            pace=chosen,
            clock=clock,
            application=application,
        )
        await sandbox.start()
        yield sandbox
