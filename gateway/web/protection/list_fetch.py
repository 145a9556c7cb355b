"""Fetches the list of senders into a file, once for a machine, whose processes all read that file.

So a start while the URL does not answer has the last good list, and a publisher who asks not to be
asked often is not asked by every worker.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any, Final

import structlog

from gateway.errors import OperatorError
from gateway.web.protection.list_format import networks_in
from gateway.web.protection.list_source import SourceUnavailable, fetch

__all__ = ["ListFetcher", "is_due"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 5.0
_RETRY_S: Final = 60.0
# Bitrix24 asks not to be asked more than once a minute.


def is_due(*, now: float, tried_at: float, fetched_at: float, refresh_s: float) -> bool:
    """Whether to fetch now, all in Unix seconds: a minute after a failure, else when it is time.

    A clock that was set back does not make it wait.
    """
    tried_s, fetched_s = now - tried_at, now - fetched_at
    return not (0 <= tried_s < _RETRY_S or 0 <= fetched_s < refresh_s)


class ListFetcher:
    """Keeps `path`, in a directory that the machine's processes share, as `url` says.

    The process that holds a lock fetches, until it dies; the lock file is written at each attempt.
    A list without any network is not taken.
    """

    def __init__(self, url: str, directory: Path, *, refresh_s: float) -> None:
        self._url = url
        self._refresh_s = refresh_s
        name = f"senders-{sha256(url.encode()).hexdigest()[:12]}"  # of this URL, and no other one
        self.path = directory / f"{name}.list"
        self._lock_path = directory / f"{name}.lock"
        self._lock: int | None = None

    def open(self) -> None:
        """Open the lock; raises OperatorError if the directory cannot be used."""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(self._lock_path, flags, 0o600)
        except OSError as error:
            raise OperatorError(f"[spool] dir: {error}") from error

    def close(self) -> None:
        """Let another process fetch."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    async def run(self) -> None:
        """Fetch when it is time and this process is the one, until cancelled."""
        while True:
            try:
                if self._is_chosen() and self._is_due():
                    await self._fetch()
            except (SourceUnavailable, OSError) as error:
                log.warning("the list of senders was not fetched", url=self._url, reason=str(error))
            await asyncio.sleep(_LOOK_S)

    async def _fetch(self) -> None:
        assert self._lock is not None  # noqa: S101 - tells the type checker
        os.pwrite(self._lock, b"tried", 0)
        content = await fetch(self._url)
        if not len(networks_in(content)):
            raise SourceUnavailable("no address in it")
        fresh = self.path.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_bytes(content)
            fresh.replace(self.path)
        finally:
            fresh.unlink(missing_ok=True)

    def _is_chosen(self) -> bool:
        assert self._lock is not None  # noqa: S101 - tells the type checker
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_due(self) -> bool:
        assert self._lock is not None  # noqa: S101 - tells the type checker
        lock = os.fstat(self._lock)
        fetched_at = 0.0
        with suppress(FileNotFoundError):
            fetched_at = self.path.stat().st_mtime
        return is_due(
            now=time(),
            tried_at=lock.st_mtime if lock.st_size else 0.0,
            fetched_at=fetched_at,
            refresh_s=self._refresh_s,
        )
