"""Defines the section `[[portals]]`."""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import force_setattr

from gateway.settings.sections.kinds import Secret, Section

__all__ = ["PortalSettings"]


class PortalSettings(Section, frozen=True, kw_only=True):
    """[[portals]]: a portal that may send."""

    member_id: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Za-z_.-]{1,64}\Z",
            description="of letters, digits, `_`, `.`, `-`, up to 64, without blanks around it",
        ),
    ]
    """The portal's own id, `auth[member_id]` in what it sends; it outlives a change of domain."""
    domain: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Za-z_.:-]{1,255}\Z",
            description="a host name, as acme.bitrix24.com, without https:// and without a path",
        ),
    ]
    """The portal's address, for people."""
    application_tokens: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """The tokens that its deliveries may carry: one for each application or outgoing webhook."""
    rest_webhook: Secret = ""
    """The URL of an inbound webhook, `https://<portal>/rest/<user>/<code>/`, by which the portal is
    called if it has no application."""

    def __post_init__(self) -> None:
        """Names of hosts have no capitals, nor have the domains of events."""
        force_setattr(self, "domain", self.domain.lower())
