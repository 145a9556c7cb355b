"""The section `[[portals]]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Secret, Section

__all__ = ["PortalSettings"]


class PortalSettings(Section, frozen=True, kw_only=True):
    """[[portals]]: a portal that may send."""

    member_id: Annotated[str, Meta(min_length=1, max_length=64)]
    """The portal's own id, `auth[member_id]` in what it sends; it outlives a change of domain."""
    domain: str
    """The portal's address, for people."""
    application_tokens: Annotated[tuple[Secret, ...], Meta(min_length=1)]
    """The tokens that its deliveries may carry: one for each application or outgoing webhook."""
    rest_webhook: Secret = ""
    """The URL of an inbound webhook, `https://<portal>/rest/<user>/<code>/`, by which the portal is
    called if it has no application."""
