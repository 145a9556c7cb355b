"""Lets a process have as many connections as its endpoints may need at once."""

import resource
from typing import Final

import structlog

__all__ = ["allow_open_files"]

log = structlog.get_logger()

_OTHERS: Final = 256
"""Beside the endpoints': Redis, the listener, files, and connections that are just being closed."""


def allow_open_files(connections: int) -> None:
    """Raise the limit of open files to what so many connections need, as far as is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    given = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
    if given < wanted:
        log.warning(
            "fewer files may be open than all endpoints together may need: raise the limit of the "
            "process (LimitNOFILE=, ulimit -Hn), or lower their concurrency",
            limit=given,
            wanted=wanted,
        )
