"""Looks for events among those that wait on this machine, beside receivers that use the file."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.publishing.errors import SpoolUnavailable

__all__ = ["SpooledEvent", "events_in_spool"]

_FILE: Final = "spool.sqlite3"
_STEPS: Final = 10_000
"""Instructions of SQLite between two looks at the clock: about a millisecond."""
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class SpooledEvent(Struct, frozen=True):
    """An event that waits for Redis, as JSON, and when it was spooled (Unix ms)."""

    raw: bytes
    spooled_ms: int


def events_in_spool(
    directory: Path, needle: bytes, *, since_ms: int, most: int, within_s: float
) -> list[SpooledEvent]:
    """Events with `needle` in them that were spooled since then, the newest first.

    Only reads. Raises SpoolUnavailable if there is no spool, if it cannot be read, or if looking
    through it takes longer than `within_s`.
    """
    path = directory / _FILE
    if not path.is_file():
        raise SpoolUnavailable("absent", f"there is no spool in {directory}")
    ends_at = time.monotonic() + within_s
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as spool:
            spool.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS)
            rows = spool.execute(
                "SELECT spooled_at_ms, events FROM batch"
                " WHERE spooled_at_ms >= ? AND instr(events, ?) > 0"
                " ORDER BY position DESC LIMIT ?",
                (since_ms, needle, most),
            ).fetchall()
        return [
            SpooledEvent(raw, spooled_ms)
            for spooled_ms, batch in rows
            for raw in reversed(_decode(batch))
            if needle in raw
        ][:most]
    except (sqlite3.Error, msgspec.DecodeError) as error:
        is_late = time.monotonic() > ends_at
        reason = f"not all of it was read within {within_s:g} s" if is_late else str(error)
        raise SpoolUnavailable("unreadable", reason) from error
