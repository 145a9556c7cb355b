"""Runs the Redis server of `gateway up`: a supervised child that keeps its data in a directory.

A lock on the directory keeps two servers from writing to one append-only file. The server inherits
the lock, so it is held until the server has ended, even if the process that started it was killed.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.durable_directory import make_directory
from gateway.errors import OperatorError
from gateway.local.ports import is_taken
from gateway.local.redis_server import RedisServer, find_server, free_port
from gateway.processes.child import Child

__all__ = ["PORT", "EmbeddedRedis", "embedded_redis"]

PORT: Final = 6390
"""Where it listens if it can, so that a second terminal finds it; 6379 is somebody else's."""

_MAX_MEMORY: Final = "1gb"  # as in deploy/redis.conf
_START_S: Final = 60.0


class EmbeddedRedis:
    """Gives a server that a supervisor can run as `child`, and its `url`."""

    def __init__(self, server: RedisServer, lock: int) -> None:
        self.url = server.url
        self.name = server.binary.name
        self.child = Child(
            name="redis",
            argv=server.argv,
            pass_fds=(lock,),
            ready=self._ready,
            fatal={1: f"see {server.log_file}"},
        )
        self._server = server

    async def _ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while not await asyncio.to_thread(self._server.answers):
            if time.monotonic() > deadline:
                raise OperatorError(f"{self.name} does not answer; see {self._server.log_file}")
            await asyncio.sleep(0.05)


@contextmanager
def embedded_redis(
    directory: Path, *, waiting: Callable[[], None], wait_s: float
) -> Iterator[EmbeddedRedis]:
    """A server with its append-only file in `directory`, which is locked meanwhile.

    Waits up to `wait_s` for the server of a run that was killed, and calls `waiting` if it has to.
    Raises OperatorError if another one goes on, or if there is no server on this machine.
    """
    binary = find_server()
    make_directory(directory)
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if not _has_locked(lock):
            waiting()
            deadline = time.monotonic() + wait_s
            while not _has_locked(lock):
                if time.monotonic() > deadline:
                    raise OperatorError(f"another `gateway up` uses {directory}")
                time.sleep(0.05)
        port = free_port() if is_taken("127.0.0.1", PORT) else PORT
        server = RedisServer(
            binary, directory, port=port, append_only=True, options=("--maxmemory", _MAX_MEMORY)
        )
        yield EmbeddedRedis(server, lock)
    finally:
        os.close(lock)


def _has_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
