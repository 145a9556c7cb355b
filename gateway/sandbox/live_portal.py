"""Plays a portal that is there: its data, and what people do in it. REST is `rest`'s."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import aiohttp

from gateway.contract import APP_INSTALLED, APP_UNINSTALLED, wire_name_of
from gateway.sandbox.announcing import Actor, Announcer
from gateway.sandbox.bound_handlers import Bindings, HandlerBinding
from gateway.sandbox.call_results import SeenCall
from gateway.sandbox.chat import Chat
from gateway.sandbox.delivering import DeliveryPace, DeliveryQueue, SentDelivery
from gateway.sandbox.event_data import Fields
from gateway.sandbox.faults import Faults
from gateway.sandbox.grants import Grants, RegisteredApplication
from gateway.sandbox.installations import SCOPE, Installation, Installations
from gateway.sandbox.limits import LeakyBucket, OperatingTime
from gateway.sandbox.offline_queue import OfflineQueue
from gateway.sandbox.pages import PageOpened
from gateway.sandbox.plans import PortalPlan
from gateway.sandbox.portal import PortalIdentity
from gateway.sandbox.portal_content import PortalContent
from gateway.sandbox.users import ADMINISTRATOR, Users

__all__ = ["LivePortal"]

_INSTALL_EVENT = wire_name_of(APP_INSTALLED)
_UNINSTALL_EVENT = wire_name_of(APP_UNINSTALLED)


class LivePortal:
    """Plays one portal of the sandbox; made by `Sandbox.add_portal`, which also serves it.

    * `comments`, `deals`, `tasks`, `content.smart_process(…)`: what people do in it. Events follow.
    * `users`: who they are.
    * `chat`: what they are told in the messenger.
    * `bindings`, `offline`: who is told, and what waits.
    * `faults`: what is to go wrong. `costs_s`: the operating time that each call of a method takes.
    * `calls`, `deliveries`: what it was asked, and what it has sent, in order.
    """

    def __init__(
        self,
        *,
        member_id: str,
        plan: PortalPlan,
        requests_per_s: float,
        burst: float,
        application: RegisteredApplication,
        grants: Grants,
        server_endpoint: str,
        session: aiohttp.ClientSession,
        pace: DeliveryPace,
        clock: Callable[[], float],
        first_comment_id: int,
    ) -> None:
        self.member_id = member_id
        self.plan = plan
        self.grants = grants
        self.clock = clock
        self.endpoint = ""
        self.domain = ""
        self.faults = Faults()
        self.users = Users()
        self.bindings = Bindings()
        self.offline = OfflineQueue(clock)
        self.chat = Chat()
        self.calls: list[SeenCall] = []
        self.deliveries: list[SentDelivery] = []
        self.costs_s: dict[str, float] = {}
        self.operating = OperatingTime(limit_s=plan.operating_limit_s)
        self.installations = Installations(grants, self._nobody)
        self.webhook_code = f"fakecode{secrets.token_hex(4)}"
        self._buckets: defaultdict[str, LeakyBucket] = defaultdict(
            lambda: LeakyBucket(requests_per_s=requests_per_s, burst=burst)
        )
        self._application = application
        self._server_endpoint = server_endpoint
        self._queue = DeliveryQueue(session, self.deliveries.append, pace)
        self.announcer = Announcer(
            bindings=self.bindings,
            offline=self.offline,
            sender_of=self.installations.sender,
            put=self._put,
            clock=clock,
        )
        self.content = PortalContent(
            self.announcer.changed, clock, first_comment_id=first_comment_id
        )
        self.comments = self.content.comments
        self.deals = self.content.deals
        self.tasks = self.content.tasks

    @property
    def application_token(self) -> str:
        """What the sandbox's application authenticates events of this portal by."""
        return self.installations.token_for(self._application)

    @property
    def webhook_url(self) -> str:
        """The URL of an inbound webhook of the administrator."""
        return f"{self.endpoint}{ADMINISTRATOR}/{self.webhook_code}/"

    async def install(
        self,
        handler_url: str | None,
        *,
        application: RegisteredApplication | None = None,
        version: int = 1,
        scope: str = SCOPE,
    ) -> Installation:
        """Install an application: one without pages, whose settings name a handler, which is told.

        Without a handler it is one with pages (`open_page`), and hears of no events before
        `finish_installation`. Again for an application that is installed: as the button
        "reinstall" does. Handlers that it bound are gone then.
        https://apidocs.bitrix24.com/settings/app-installation/installation-finish.html
        """
        app = application or self._application
        self.forget_bindings(app)
        installation = self.installations.add(
            app, version=version, is_finished=handler_url is not None, scope=scope
        )
        if handler_url is not None:
            binding = self.bindings.add(
                _INSTALL_EVENT, handler=handler_url, client_id=app.client_id
            )
            self._tell_installed(binding, installation)
        return installation

    def finish_installation(self, application: RegisteredApplication | None = None) -> None:
        """What an application's page does by `BX24.installFinish()`.

        Handlers that it has bound to ONAPPINSTALL hear of it; once it is finished, nothing happens.
        """
        app = application or self._application
        unfinished = self.installations.of(app.client_id)
        if unfinished is None or unfinished.is_finished:
            return
        finished = self.installations.finish(app)
        for binding in self.bindings.of(app.client_id):
            if binding.event == _INSTALL_EVENT:
                self._tell_installed(binding, finished)

    def open_page(
        self,
        *,
        user_id: int = ADMINISTRATOR,
        application: RegisteredApplication | None = None,
        language: str = "en",
    ) -> PageOpened:
        """What the browser of a user sends to a page of an installed application."""
        return self.installations.opened(
            application or self._application, user_id, language=language
        )

    async def uninstall(
        self, *, clean: bool, application: RegisteredApplication | None = None
    ) -> None:
        """Remove an application; `clean` says that its data is to be erased.

        Only handlers that it bound to ONAPPUNINSTALL hear of it.
        """
        app = application or self._application
        for binding in self.bindings.of(app.client_id):
            if binding.event == _UNINSTALL_EVENT:
                data: Fields = {"CLEAN": clean, "LANGUAGE_ID": "en"}
                self.announcer.tell(binding, Actor(user_id=ADMINISTRATOR), data=data)
        self.forget_bindings(app)
        self.offline.forget(app.client_id)
        self.installations.remove(app)

    def forget_bindings(self, application: RegisteredApplication | None = None) -> None:
        """Drop all handlers of an application, as its update does."""
        app = application or self._application
        self.bindings.remove(self.bindings.of(app.client_id))

    def add_outgoing_webhook(self, handler_url: str, events: Sequence[str]) -> str:
        """Make an outgoing webhook for `events`, as `comment.updated`, and give its token.

        https://apidocs.bitrix24.com/local-integrations/local-webhooks.html
        """
        return self.bindings.add_outgoing_webhook(handler_url, events)

    def move_to(self, root: str) -> None:
        """Be at another address from now on; `root` is a URL that ends in a slash."""
        self.endpoint = f"{root}rest/"
        self.domain = urlsplit(root).netloc

    async def sent(self) -> None:
        """Wait until all that was to be sent has been sent, or has failed for good."""
        await self._queue.drained()

    async def close(self) -> None:
        """Send nothing any more."""
        await self._queue.close()

    def expire_tokens(self) -> None:
        """Let every access token that was issued so far be too old."""
        self.grants.expire(self.member_id)

    def admits(self, address: str, now: float) -> bool:
        """Whether the portal takes one more request from an address; `now` never goes back."""
        return self._buckets[address].admits(now)

    def _tell_installed(self, binding: HandlerBinding, installation: Installation) -> None:
        self.announcer.tell(binding, Actor(user_id=ADMINISTRATOR), data=installation.event_data)

    def _put(self, event: str, url: str, body: bytes) -> None:
        if self.faults.loses_events:
            lost = SentDelivery(event=event, url=url, body=body, error="lost on the way")
            self.deliveries.append(lost)
        else:
            self._queue.put(event, url, body)

    def _nobody(self) -> PortalIdentity:
        return PortalIdentity(
            member_id=self.member_id,
            domain=self.domain,
            application_token="",
            user_id=0,
            access_token="",
            refresh_token="",
            scope=SCOPE,
            server_endpoint=self._server_endpoint,
            endpoint=self.endpoint,
        )
