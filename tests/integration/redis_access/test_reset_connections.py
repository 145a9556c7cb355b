"""A server, or a proxy before it, that resets each connection at once: Redis is away, no more."""

import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest
import uvloop

from gateway.redis_access import connections
from gateway.redis_access.connections import RedisFault, fault_of

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that is reset when it is closed."""
_TRIES: Final = 60
"""Of these some find the connection closed before their first command."""


@pytest.fixture
def resetting_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)

        def reset_all() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                connection.close()

        thread = threading.Thread(target=reset_all)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


async def _ping(client: Any) -> None:
    async with client as redis:
        await redis.ping()


async def _read(client: Any) -> None:
    async with client as redis:
        await redis.xread({"stream": "$"}, block=10)


async def _in_pipeline(client: Any) -> None:
    async with client as redis:
        await redis.pipeline(transaction=False).get("k").execute()


@pytest.mark.parametrize(
    ("url", "attempt"),
    [
        ("redis://127.0.0.1:{port}", lambda url: _ping(connections.publisher(url))),
        ("redis://127.0.0.1:{port}", lambda url: _read(connections.reader(url, block_s=0.1))),
        ("redis://127.0.0.1:{port}", lambda url: _in_pipeline(connections.control(url))),
        ("rediss://127.0.0.1:{port}", lambda url: _ping(connections.publisher(url))),
        ("redis+cluster://127.0.0.1:{port}", lambda url: _ping(connections.publisher(url))),
        ("redis+sentinel://127.0.0.1:{port}/mine", lambda url: _ping(connections.publisher(url))),
    ],
)
def test_a_connection_that_is_reset_at_once_is_redis_being_away(
    resetting_port: int, url: str, attempt: Callable[[str], Awaitable[None]]
) -> None:
    async def attempts() -> list[Exception]:
        failures = []
        for _ in range(_TRIES):
            try:
                await attempt(url.format(port=resetting_port))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
                failures.append(error)
        return failures

    failures = uvloop.run(attempts())

    assert len(failures) == _TRIES
    assert [error for error in failures if fault_of(error) is not RedisFault.AWAY] == []
