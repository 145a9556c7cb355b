"""Follows the list of senders: from a file of the administrator's, or from a URL."""

from math import inf
from pathlib import Path
from typing import Any

import structlog

from gateway.background import Background
from gateway.errors import OperatorError
from gateway.web.protection.guard import Guard
from gateway.web.protection.list_fetch import ListFetcher
from gateway.web.protection.list_source import is_url
from gateway.web.protection.list_watch import ListWatch

__all__ = ["SenderList"]

log: Any = structlog.get_logger(__name__)


class SenderList:
    """Keeps a guard as `source` says; what is fetched is kept in `directory`."""

    def __init__(self, guard: Guard, source: str, directory: Path, *, refresh_s: float) -> None:
        self._fetcher: ListFetcher | None = None
        path, max_age_s = Path(source.removeprefix("file:")), inf
        if is_url(source):
            self._fetcher = ListFetcher(source, directory, refresh_s=refresh_s)
            path, max_age_s = self._fetcher.path, refresh_s
        self._watch = ListWatch(guard, path, max_age_s=max_age_s)
        self._source = source
        # The last good list goes on meanwhile.
        self._tasks = [Background(self._watch.run, name="senders watch", begins_anew=True)]
        if self._fetcher is not None:
            fetching = Background(self._fetcher.run, name="senders fetcher", begins_anew=True)
            self._tasks.append(fetching)

    def start(self) -> None:
        """Read what is there, and follow; raises OperatorError for a file that is no list."""
        if self._fetcher is not None:
            self._fetcher.open()
            if not self._watch.look():
                log.warning("everybody may deliver until the list of senders has been fetched")
        elif not self._watch.look():
            raise OperatorError(f"[http] allow_source: {self._source} is no list of addresses")
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            await task.close()
        if self._fetcher is not None:
            self._fetcher.close()
