"""Makes room for connections among the files that the system lets a process open."""

import resource
from typing import Any, Final

import structlog

__all__ = ["room_for"]

log: Any = structlog.get_logger(__name__)

_OTHERS: Final = 128
# Redis, the spool, its thread, the admin listener: they must never lack a descriptor because
# clients hold all of them, or the spool fails when it is needed.


def room_for(connections: int, *, name: str = "[http] max_connections") -> int:
    """How many connections there can be: as many as are wanted, if the system allows it.

    Raises the process's own limit of open files (RLIMIT_NOFILE) as far as it may. `name` is the
    setting that wants them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    room = max(1, soft - _OTHERS)
    log.warning("fewer connections than wanted", setting=name, room=room, open_files=soft)
    return room
