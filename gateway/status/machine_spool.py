"""Looks into the spool of this machine by its file, which needs neither Redis nor a receiver."""

import socket
import time
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from gateway.heartbeats.process_report import SpoolState
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.batch_file import SpoolFile
from gateway.settings import SpoolSettings

__all__ = ["SpoolStanding", "spool_here", "standing_of_spool"]


class SpoolStanding(Struct, frozen=True, kw_only=True):
    """A spool, on which host, and how long ago that was so (0: now).

    `oldest_s` is how long its oldest event has waited, 0 if none does. `why_not` is why this
    machine's cannot be read; then the counts mean nothing.
    """

    host: str
    told_s: float
    oldest_s: float
    state: SpoolState
    why_not: str | None = None


def standing_of_spool(
    state: SpoolState, *, host: str, told_s: float, now: float, why_not: str | None = None
) -> SpoolStanding:
    """What was told of a spool; `now` is in Unix seconds. Pure."""
    oldest_s = max(0.0, now - state.oldest_ms / 1000) if state.events else 0.0
    return SpoolStanding(host=host, told_s=told_s, oldest_s=oldest_s, state=state, why_not=why_not)


def spool_here(settings: SpoolSettings) -> SpoolStanding | None:
    """This machine's; None where no receiver has ever made one. Writes nothing into it."""
    directory = Path(settings.dir)
    state = SpoolState(
        id=_id_in(directory),
        directory=str(directory.absolute()),
        events=0,
        bytes=0,
        max_bytes=settings.max_bytes,
        oldest_ms=0,
    )
    if not any(directory.glob("spool.sqlite3*")):
        return None
    host, now = socket.gethostname(), time.time()
    try:
        with closing(SpoolFile(directory, max_bytes=settings.max_bytes, is_checked=False)) as file:
            events, size, oldest_ms = file.totals()
            set_aside = file.set_aside_count()
    except SpoolUnavailable as error:
        return standing_of_spool(state, host=host, told_s=0.0, now=now, why_not=str(error))
    state = SpoolState(
        id=state.id,
        directory=state.directory,
        events=events,
        bytes=size,
        max_bytes=settings.max_bytes,
        oldest_ms=oldest_ms,
        set_aside=set_aside,
    )
    return standing_of_spool(state, host=host, told_s=0.0, now=now)


def _id_in(directory: Path) -> str:
    try:
        return (directory / "spool.id").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
