"""Defines the section `[audit]`."""

from typing import Annotated

from msgspec import Meta

from gateway.settings.sections.kinds import Seconds, Secret, Section

__all__ = ["AuditSettings"]


class AuditSettings(Section, frozen=True, kw_only=True):
    """[audit]: the audit consumer's log."""

    dir: str = "var/audit"
    """The directory of the log; one process writes to each partition's part of it."""
    signing_key: Secret = ""
    """An Ed25519 key in PEM (`consumers audit keygen` makes one); empty: chained, not signed."""
    former_keys: tuple[str, ...] = ()
    """Public keys that signed this log before, in hexadecimal; `unsigned` if none did."""
    checkpoint_every: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """At most so many records come between two checkpoints."""
    checkpoint_every_s: Seconds = 60.0
    """At most so long, in seconds, a record waits for a checkpoint."""
    compress: bool = True
    """Whether files of past days are compressed."""
    kept_days: Annotated[int, Meta(ge=0)] = 0
    """Files older than so many days are removed, leaving a tombstone; 0 keeps them for ever."""
    anchor_file: str = ""
    """A file, best on another disk: each checkpoint adds a line with the newest anchor."""
    anchor_command: tuple[str, ...] = ()
    """A program and its arguments, run after each checkpoint with the anchor as the last one."""
