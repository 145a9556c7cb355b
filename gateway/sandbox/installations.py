"""Keeps the applications that are installed in a portal, and makes what they and its users are sent
of tokens.

https://apidocs.bitrix24.com/settings/app-installation/installation-finish.html
"""

import hashlib
from collections.abc import Callable

import msgspec
from msgspec import Struct

from gateway.sandbox.announcing import Actor
from gateway.sandbox.bodies import EVENTS
from gateway.sandbox.bound_handlers import HandlerBinding, event_named
from gateway.sandbox.event_data import Fields
from gateway.sandbox.grants import MAX_HOPS, Grants, RegisteredApplication
from gateway.sandbox.pages import PageOpened, page_opened
from gateway.sandbox.portal import PortalIdentity
from gateway.sandbox.users import ADMINISTRATOR

__all__ = ["SCOPE", "Installation", "Installations"]

SCOPE = "crm,placement,task,user_brief"


class Installation(Struct, frozen=True, kw_only=True):
    """An application in a portal; its text form does not show the token.

    One that is not finished hears of no events.
    """

    application: RegisteredApplication
    application_token: str
    version: int
    is_finished: bool
    user_id: int = ADMINISTRATOR
    scope: str = SCOPE
    status: str = "L"

    @property
    def event_data(self) -> Fields:
        """What ONAPPINSTALL says of it."""
        return {"VERSION": self.version, "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "en"}

    def __repr__(self) -> str:
        return f"Installation({self.application!r}, version={self.version}, …)"


class Installations:
    """Keeps the installations of one portal, by the application's id.

    `nobody` gives the portal as it puts itself into a request in nobody's name: without tokens.
    """

    def __init__(self, grants: Grants, nobody: Callable[[], PortalIdentity]) -> None:
        self._grants = grants
        self._nobody = nobody
        self._installed: dict[str, Installation] = {}

    def add(
        self,
        application: RegisteredApplication,
        *,
        version: int,
        is_finished: bool,
        scope: str = SCOPE,
    ) -> Installation:
        """Install an application, or another version of it."""
        installation = self._installed[application.client_id] = Installation(
            application=application,
            application_token=self.token_for(application),
            version=version,
            is_finished=is_finished,
            scope=scope,
        )
        return installation

    def finish(self, application: RegisteredApplication) -> Installation:
        """Let an application hear of events."""
        unfinished = self._installed[application.client_id]
        finished = msgspec.structs.replace(unfinished, is_finished=True)
        self._installed[application.client_id] = finished
        return finished

    def remove(self, application: RegisteredApplication) -> None:
        """Remove an application, if it is there, with all that was issued to it."""
        self._installed.pop(application.client_id, None)
        self._grants.revoke(self._nobody().member_id, application.client_id)

    def of(self, client_id: str) -> Installation | None:
        """The application of this id; None if it is not installed."""
        return self._installed.get(client_id)

    def token_for(self, application: RegisteredApplication) -> str:
        """The application token: the same after every installation, another in every portal."""
        member_id = self._nobody().member_id
        secret = f"{member_id}|{application.client_id}|{application.client_secret}"
        return hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()

    def opened(
        self, application: RegisteredApplication, user_id: int, *, language: str = "en"
    ) -> PageOpened:
        """What a user's browser sends to the application's page."""
        installation = self._installed[application.client_id]
        sender = self._sender(installation, user_id, is_renewable=True)
        return page_opened(sender, language=language)

    def sender(self, binding: HandlerBinding, actor: Actor) -> PortalIdentity | None:
        """What a request to this handler says of its sender; None if there is to be no request."""
        if not binding.client_id:
            return msgspec.structs.replace(self._nobody(), application_token=binding.webhook_token)
        installation = self.of(binding.client_id)
        if installation is None or not installation.is_finished:
            return None
        return self._sender(
            installation,
            binding.user_id or actor.user_id,
            is_renewable=EVENTS[event_named(binding.event) or ""].has_refresh_token,
            hops=actor.hops - 1,
        )

    def _sender(
        self, installation: Installation, user_id: int, *, is_renewable: bool, hops: int = MAX_HOPS
    ) -> PortalIdentity:
        nobody = msgspec.structs.replace(
            self._nobody(), application_token=installation.application_token
        )
        if not user_id:
            return nobody
        grant = self._grants.issue(
            installation.application.client_id,
            nobody.member_id,
            user_id,
            is_renewable=is_renewable,
            hops=hops,
        )
        return msgspec.structs.replace(
            nobody,
            user_id=user_id,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
        )
