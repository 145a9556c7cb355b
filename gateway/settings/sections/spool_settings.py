"""Defines the section `[spool]`."""

from gateway.settings.sections.kinds import Positive, Section

__all__ = ["SpoolSettings"]


class SpoolSettings(Section, frozen=True, kw_only=True):
    """[spool]: where events wait on this machine while Redis is away."""

    dir: str = "var/spool"
    """The directory; on a disk that survives a restart."""
    max_bytes: Positive = 1 << 30
    """The largest size of the spool in bytes; when it is full, requests are answered 503."""
