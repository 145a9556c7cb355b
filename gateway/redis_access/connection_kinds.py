"""Adapts redis-py's connections to what is needed of them here.

Writing to one that its peer has closed is the failure that it is to redis-py: that happens between
connecting and the first command, when a server or a proxy resets a connection at once. Closing one
never fails. Commands are packed by hiredis. And the transport may be lent
(gateway.redis_access.direct_calls).
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.closed_transports import closed_as_reset

__all__ = [
    "PrimaryConnection",
    "PrimaryTlsConnection",
    "SocketFileConnection",
    "TcpConnection",
    "TlsConnection",
    "closed_as_away",
]


_BY_HIREDIS: Final = HiredisRespSerializer()


@contextmanager
def closed_as_away() -> Iterator[None]:
    """Raise redis-py's ConnectionError where a connection is closed."""
    try:
        with closed_as_reset():
            yield
    except ConnectionResetError as error:
        raise RedisConnectionError(str(error)) from error


class _Connection(AbstractConnection):
    def pack_command(self, *args: Any) -> list[bytes]:
        """Pack a command as redis-py's synchronous client does, by hiredis.

        The asynchronous one joins bytes for each argument, at three times the cost: for each entry
        that is acknowledged a tenth of all that it costs.
        """
        packed: list[bytes] = _BY_HIREDIS.pack(*args)
        return packed

    @property
    def transport(self) -> asyncio.Transport | None:
        """What carries its bytes, for who wants no task to wait for them; None if there is none."""
        return None if self._writer is None else cast("asyncio.Transport", self._writer.transport)

    async def disconnect(self, *args: Any, **kwargs: Any) -> None:
        """Close it, whoever is on the other side.

        With TLS that waits for the other side's farewell, as long as for a connection, and redis-py
        raises TimeoutError when none comes: out of whatever ends or begins anew just because the
        server hangs. It is cut off then.
        """
        transport = self.transport
        try:
            await super().disconnect(*args, **kwargs)
        except RedisTimeoutError:
            if transport is not None:
                transport.abort()

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - as in redis-py
    ) -> None:
        with closed_as_away():
            await super().send_packed_command(command, check_health)


class TcpConnection(_Connection, Connection):
    """Leads to a server."""


class TlsConnection(_Connection, SSLConnection):
    """Leads to a server that asks for TLS."""


class SocketFileConnection(_Connection, UnixDomainSocketConnection):
    """Leads to a server on this machine."""


class PrimaryConnection(_Connection, SentinelManagedConnection):
    """Leads to the primary that the Sentinels name."""


class PrimaryTlsConnection(_Connection, SentinelManagedSSLConnection):
    """Leads to the primary that the Sentinels name, and that asks for TLS."""
