"""Describes the portal that a request pretends to come from."""

from typing import Final

from msgspec import Struct

from gateway.settings import PortalSettings, Settings, resolve_secret

__all__ = ["SANDBOX", "PortalIdentity", "choose_portal"]


class PortalIdentity(Struct, frozen=True, kw_only=True):
    """What a portal and its user put into a request; every default is made up."""

    member_id: str
    domain: str
    application_token: str
    user_id: int = 7
    access_token: str = "fake0access0token" * 4
    refresh_token: str = "fake0refresh0token00000000000000"  # noqa: S105 - made up
    scope: str = "crm,placement,user_brief"
    status: str = "L"
    server_endpoint: str = "https://oauth.bitrix.info/rest/"
    endpoint: str = ""

    @property
    def client_endpoint(self) -> str:
        """Where the portal's REST methods are: at its domain, if nothing else is said."""
        return self.endpoint or f"https://{self.domain}/rest/"


SANDBOX: Final = PortalIdentity(
    member_id="5a4db0c5000000000000000000000000",
    domain="sandbox.bitrix24.example",
    application_token="fake0sandbox0application0token00",  # noqa: S106 - made up
)
"""The portal of `gateway up --demo`. Its token is no secret, so nothing else registers it."""


def choose_portal(
    settings: Settings,
    *,
    member_id: str | None = None,
    domain: str | None = None,
    token: str | None = None,
) -> PortalIdentity:
    """The portal that is asked for, else the first registered one, else the sandbox.

    What is not given comes from the registered portal of that `member_id`, if there is one.
    Raises SettingsError if that portal's token cannot be read.
    """
    registered = _registered(settings.portals, member_id)
    if registered is None:
        known = SANDBOX
    else:
        name = f"[[portals]] {registered.member_id}: application_tokens"
        known = PortalIdentity(
            member_id=registered.member_id,
            domain=registered.domain,
            application_token=token or resolve_secret(registered.application_tokens[0], name=name),
        )
    return PortalIdentity(
        member_id=member_id or known.member_id,
        domain=domain or known.domain,
        application_token=token or known.application_token,
    )


def _registered(
    portals: tuple[PortalSettings, ...], member_id: str | None
) -> PortalSettings | None:
    matching = (portal for portal in portals if member_id in (None, portal.member_id))
    return next(matching, None)
