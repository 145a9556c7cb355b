"""Says what errors of SQLite and of the disk mean for the spool: it is full, busy, broken or
corrupt.
"""

import errno
import sqlite3
from typing import Final

from gateway.publishing.errors import SpoolUnavailable

__all__ = ["corrupt", "is_corrupt", "unavailable"]

_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def corrupt(text: str) -> sqlite3.DatabaseError:
    """The error that SQLite itself raises for a corrupt file, for what only we can see."""
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def is_corrupt(error: sqlite3.Error) -> bool:
    """True if the file is damaged, so that trying again is of no use."""
    return _code(error) in _CORRUPT


def unavailable(error: Exception) -> SpoolUnavailable:
    """The spool's own error for one of SQLite or of the system."""
    if isinstance(error, OSError):
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    else:
        is_full = _code(error) == sqlite3.SQLITE_FULL
    if is_full:
        return SpoolUnavailable("full", str(error))
    if _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return SpoolUnavailable("busy", str(error))
    return SpoolUnavailable("broken", str(error))


def _code(error: Exception) -> int:
    """SQLite's primary result code: https://www.sqlite.org/rescode.html."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
