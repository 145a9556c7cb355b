"""Defines the section `[console]`."""

from gateway.settings.sections.kinds import Seconds, Secret, SecretUrl, Section

__all__ = ["ConsoleSettings"]


class ConsoleSettings(Section, frozen=True, kw_only=True):
    """[console]: the pages for operators, at `/console/` on the [admin] port of the receiver."""

    token: Secret = ""
    """Who has it may look: `env:NAME`, `file:/path`, or the token. Where neither a token nor
    `user_header` is set, only browsers on this machine may, and nobody may change anything."""
    operator_token: Secret = ""
    """Who has it may look and change."""
    user_header: str = ""
    """The header in which a proxy of `trusted_proxies` names who asks, as `X-Forwarded-User`."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `user_header` is believed."""
    operators: tuple[str, ...] = ()
    """Users of that header who may change; the others may look."""
    session_s: Seconds = 28_800.0
    """How many seconds a browser may go on after its token was given."""
    redis_url: SecretUrl = ""
    """The account by which the console works; without one, that of `[redis] url`."""
