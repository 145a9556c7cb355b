"""Defines the section `[bitrix24]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Positive, Seconds, Secret, Section

__all__ = ["ApplicationSettings", "Bitrix24Settings"]

AuthorizationServer = Annotated[
    str,
    Meta(
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$))",
        description="an https:// URL; http:// only to this machine",
    ),
]
_DEFAULT_SERVER = "https://oauth.bitrix.info/"


class ApplicationSettings(Section, frozen=True, kw_only=True):
    """[[bitrix24.applications]]: each of several applications, in place of the `client_id` above:
    portals of both authorization servers, or local applications of several portals.
    """

    client_id: Annotated[str, Meta(min_length=1)]
    """The application's id (`app.…` or `local.…`); one that two servers know is there twice."""
    client_secret: Secret
    """The application's key (`client_secret`) at that server."""
    authorization_server: AuthorizationServer = _DEFAULT_SERVER
    """The server that knows it, as above."""


class Bitrix24Settings(Section, frozen=True, kw_only=True):
    """[bitrix24]: the application in whose name portals are called, and how often they are."""

    authorization_server: AuthorizationServer = _DEFAULT_SERVER
    """Where tokens are refreshed; `https://oauth.bitrix24.tech/` for portals in the regions of
    Russia, Belarus, Kazakhstan and their neighbours. No other is asked, whatever a body says."""
    client_id: str = ""
    """The application's id (`client_id`, `app.…` or `local.…`); without one, portals are called by
    their `rest_webhook` only."""
    client_secret: Secret = ""
    """The application's key (`client_secret`)."""
    applications: tuple[ApplicationSettings, ...] = ()
    """The applications, where there are several; `client_id` is empty then."""
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^($|https://[^/?#\s]+|http://(127\.0\.0\.1|localhost)(:|/|$))[^?#\s]*\Z",
            description="an https:// URL without a query; http:// only to this machine",
        ),
    ] = ""
    """Where this gateway is reached from outside, as `https://gateway.example.com`. Portals that
    install the application are told to deliver to it, at `[http] path`; without it they are
    registered, and deliver nothing until somebody binds the events."""
    allow_portals: tuple[str, ...] = ()
    """Member ids or domains of the portals that may install the application; empty for all. Portals
    that have it stay as they are."""
    auth_connector: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,64}\Z",
            description="of letters, digits, `_`, `.`, `-`, up to 64",
        ),
    ] = ""
    """A name for this gateway's part in the portals' queues of offline events, so that changes that
    it makes itself stay out of them; portals take one from the Professional plan on."""
    requests_per_s: Seconds = 2.0
    """How many requests a second a portal takes for long: 2, in the Enterprise plan 5. All
    processes together keep to it."""
    burst: Positive = 50
    """How many requests at once a portal takes: 50, in the Enterprise plan 250. A tenth of it is
    kept free."""
    request_timeout_s: Seconds = 65.0
    """How many seconds one request may take; a portal in the cloud ends it after 60."""
    call_timeout_s: Seconds = 120.0
    """How many seconds a call may wait for its turn and be tried again."""
    max_answer_bytes: Positive = 16 << 20
    """The largest answer in bytes that is read."""

    @property
    def listed(self) -> tuple[ApplicationSettings, ...]:
        """All applications: those of the list, or the one of `client_id`; none without either."""
        if not self.client_id:
            return self.applications
        one = ApplicationSettings(
            client_id=self.client_id,
            client_secret=self.client_secret,
            authorization_server=self.authorization_server,
        )
        return (one, *self.applications)
