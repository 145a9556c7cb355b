"""Keeps the guard as a file says."""

import asyncio
from pathlib import Path
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.web.protection.guard import Guard
from gateway.web.protection.list_format import networks_in
from gateway.web.protection.list_source import SourceUnavailable, read

__all__ = ["ListWatch"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 5.0


class ListWatch:
    """Reads the list of senders in `path` whenever the file changes.

    A file that has gone or cannot be read, or in which no network stands, changes nothing: the last
    good list goes on, and the log says so once.
    """

    def __init__(self, guard: Guard, path: Path) -> None:
        self._guard = guard
        self._path = path
        self._seen: object = None
        self._trouble = ""

    def look(self) -> bool:
        """Read the file if it has changed; True if it is a list, changed or not. Blocking."""
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return True
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
