"""Asks Sentinels where the primary is, so that whoever waits for it learns why it is not found.

redis-py names no reason but the class of an error, repeats each question ten times with pauses, and
has no password for a Sentinel that asks for one. Here a Sentinel is asked without a password first
(one that has none refuses to be given any), and with that of the servers if it wants one.
"""

import re
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.redis_access.connection_kinds import TcpConnection, TlsConnection, closed_as_away
from gateway.redis_access.redis_faults import is_denied
from gateway.redis_access.redis_url import RedisAddress

__all__ = ["SentinelRefuses", "Sentinels", "WaitingSentinelPool"]

_TIMEOUT_S: Final = 0.6
"""Three Sentinels that do not answer, asked one after the other, fit into [publish] deadline_s."""


_CUT_OFF: Final = re.compile("reset by peer|closed by server")


class SentinelRefuses(AuthenticationError):
    """No Sentinel says where the primary is, and one of them because of its password."""


class Sentinels(Sentinel):
    """Asks the Sentinels of an address; `options` are for the connections to them."""

    def __init__(self, address: RedisAddress, **options: Any) -> None:
        self._address = address
        self._options = options | {
            "socket_timeout": _TIMEOUT_S,
            "socket_connect_timeout": _TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
            "connection_class": TcpConnection if address.tls is None else TlsConnection,
            **(address.tls or {}),
        }
        super().__init__([])  # type: ignore[no-untyped-call]
        account = (address.sentinel_username, address.sentinel_password)
        self.sentinels = [self._client(node, account) for node in address.nodes]
        self._nodes = dict(zip(self.sentinels, address.nodes, strict=True))

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Where the primary is; whoever knows it is asked first the next time.

        Raises MasterNotFoundError or SentinelRefuses with the reason of each Sentinel.
        """
        reasons: list[str] = []
        is_refused = False
        for number, sentinel in enumerate(self.sentinels):
            host, port = self._nodes[sentinel]
            try:
                masters = await self._masters(number)
            except (RedisError, OSError) as error:
                is_refused |= is_denied(error)
                told = _reason(error, has_tls=self._address.tls is not None)
                reasons.append(f"the Sentinel at {host}:{port}: {told}")
                continue
            state = masters.get(service_name)
            if state is None:
                reasons.append(f"the Sentinel at {host}:{port} knows no {service_name!r}")
            elif not self.check_master_state(state, service_name):
                reasons.append(f"the Sentinel at {host}:{port}: {service_name!r} is down")
            else:
                first = self.sentinels
                first[0], first[number] = first[number], first[0]
                return str(state["ip"]), int(state["port"])
        told = f"no Sentinel says where {service_name!r} is: {'; '.join(reasons)}"
        raise (SentinelRefuses if is_refused else MasterNotFoundError)(told)

    async def _masters(self, number: int) -> dict[str, Any]:
        with closed_as_away():
            try:
                found: Any = await self.sentinels[number].sentinel_masters()
            except AuthenticationError:
                if self._address.sentinel_password or not self._address.password:
                    raise
                await self._give_password(number)
                found = await self.sentinels[number].sentinel_masters()
        return dict(found)

    async def _give_password(self, number: int) -> None:
        """From now on that Sentinel gets the password of the servers."""
        before = self.sentinels[number]
        node = self._nodes.pop(before)
        await before.aclose()
        now = self._client(node, (self._address.username, self._address.password))
        self.sentinels[number], self._nodes[now] = now, node

    def _client(self, node: tuple[str, int], account: tuple[str | None, str | None]) -> Redis:
        """Of one Sentinel; it closes its connections with itself."""
        (host, port), (username, password) = node, account
        pool: ConnectionPool = ConnectionPool(
            host=host, port=port, username=username, password=password, **self._options
        )
        return Redis.from_pool(pool)


class WaitingSentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Pools connections to the primary; who finds none free waits for one."""


def _reason(error: Exception, *, has_tls: bool) -> str:
    """What an error says, and what to look at where it looks as if only one side spoke TLS.

    A Sentinel without TLS waits for the rest of what it takes for a command; one with TLS resets
    the connection.
    """
    text = str(error)
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if has_tls and isinstance(error, RedisTimeoutError):
        return f"{told}; does it speak TLS?"
    if not has_tls and isinstance(error, RedisConnectionError) and _CUT_OFF.search(text):
        return f"{told}; does it want TLS (rediss+sentinel://)?"
    return told
