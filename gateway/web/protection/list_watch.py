"""Keeps the guard as a file says."""

import asyncio
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.web.protection.guard import Guard
from gateway.web.protection.list_format import networks_in
from gateway.web.protection.list_source import SourceUnavailable, read

__all__ = ["ListWatch"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 5.0
_PATIENCE_S: Final = 20.0
# A fetch takes 15 s at most, and a look comes after it.


class ListWatch:
    """Reads the list of senders in `path` whenever the file changes.

    A file that has gone or cannot be read, or in which no network stands, changes nothing: the last
    good list goes on, and the log says so once.

    At the start a file that is older than `max_age_s` is left alone for twenty seconds: it is being
    fetched anew, and senders may deliver that have come since.
    """

    def __init__(self, guard: Guard, path: Path, *, max_age_s: float) -> None:
        self._guard = guard
        self._path = path
        self._max_age_s = max_age_s
        self._patient_until = monotonic() + _PATIENCE_S
        self._seen: object = None
        self._trouble = ""

    def look(self) -> bool:
        """Read the file if it has changed; True if its list is in force. Blocking."""
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return True
            is_first, age_s = self._seen is None, time() - status.st_mtime
            if is_first and age_s > self._max_age_s and monotonic() < self._patient_until:
                return False
            found = networks_in(read(self._path))
        except (OSError, SourceUnavailable) as error:
            if isinstance(error, FileNotFoundError) and self._seen is None:
                return False  # nothing has been fetched yet
            return self._tell(str(error))
        if not len(found):
            return self._tell(f"{self._path}: no address in it")
        if found != self._guard.found:
            self._guard.allow(found)
            log.info("list of senders read", path=str(self._path), networks=len(found))
        self._seen, self._trouble = seen, ""
        metrics.SENDER_NETWORKS.set(len(found))
        metrics.SENDER_LIST_SECONDS.set(status.st_mtime)
        return True

    async def run(self) -> None:
        """Look every five seconds, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def _tell(self, trouble: str) -> bool:
        if trouble != self._trouble:
            log.warning("the list of senders cannot be used; the last one goes on", reason=trouble)
        self._trouble = trouble
        return False
