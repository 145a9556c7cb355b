"""Defines the section `[quarantine]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Section

__all__ = ["QuarantineSettings"]


class QuarantineSettings(Section, frozen=True, kw_only=True):
    """[quarantine]: keeping deliveries whose token is not registered; needs [vault] keys."""

    max_deliveries: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """How many are kept for a portal; half of them at most with the same token."""
    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 64 << 20
    """How many bytes of Redis's memory they take, for all portals together."""
    kept_s: Annotated[float, Meta(ge=60, le=604_800)] = 604_800.0
    """How many seconds they are kept; at most a week."""
