"""Makes all Redis clients, in one place because redis-py's defaults lose or double entries.

redis-py 8 repeats every command ten times, XADD included (a lost reply then is a second entry),
and cuts every read after five seconds, blocking ones included (the entries of the cut read stay
pending and unseen). docs/decisions/0003-redis-client.md has the measurements. So there are four
kinds of client, and none of them is for anything else:

* `publisher`: never repeats by itself; its owner repeats an idempotent script.
* `reader`: for blocking reads; waits longer than the server blocks; never repeats.
* `shared_reader`: for reads that do not block, of many tasks, which wait for a free connection;
  never repeats.
* `control`: for commands that may be repeated (XACK, XINFO, XRANGE, SET, leases). Any number of
  tasks may use one: who finds no connection free waits for one.
"""

from typing import Any, Final, cast

from msgspec.structs import replace
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from gateway.redis_access.cluster_client import ClusterClient
from gateway.redis_access.connection_kinds import (
    PrimaryConnection,
    PrimaryTlsConnection,
    SocketFileConnection,
    TcpConnection,
    TlsConnection,
)
from gateway.redis_access.redis_faults import (
    AWAY,
    AWAY_OR_REFUSING,
    FAILURES,
    RedisFault,
    fault_of,
    is_denied,
)
from gateway.redis_access.redis_url import RedisAddress
from gateway.redis_access.sentinels import Sentinels, WaitingSentinelPool

__all__ = [
    "AWAY",
    "AWAY_OR_REFUSING",
    "FAILURES",
    "RedisFault",
    "control",
    "fault_of",
    "is_denied",
    "publisher",
    "reader",
    "reader_of",
    "sentinels_of",
    "shared_reader_of",
]


_MOST_CONNECTIONS: Final = 32
"""Of a control client: enough to keep a server busy, which carries out one command at a time."""
_MOST_READING: Final = 8
"""Of a shared reader: more at a time would only wait for each other in the server."""
_WAIT_S: Final = 10.0
"""How long a command waits for a free connection: longer than thousands before it take."""


def publisher(url: str, *, timeout_s: float | None = None) -> Redis:
    """A client with one connection for one publisher: no command is ever sent twice by it.

    Without `timeout_s` a command takes as long as it takes, and its caller sets the deadline: a
    time-out of the client's own costs a task for every command.
    """
    return _client(
        RedisAddress.of(url),
        is_single=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 0),
    )


def reader(url: str, *, block_s: float) -> Redis:
    """A client for reads that block up to `block_s`: one connection, no repetition.

    The margin covers servers that answer a blocked read late:
    https://github.com/redis/redis/issues/12998
    """
    return _client(RedisAddress.of(url), **_reading(block_s))


def control(url: str, *, timeout_s: float = 2.0) -> Redis:
    """A client for short commands that may safely be carried out twice.

    With all its connections in use a command waits for one, up to ten seconds, and then fails with
    ConnectionError: a full pool is no reason to take Redis for away. In a cluster pipelines do not
    wait, and have as many connections again.
    """
    return _client(
        RedisAddress.of(url),
        waits_s=_WAIT_S,
        max_connections=_MOST_CONNECTIONS,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2),
    )


async def shared_reader_of(url: str, key: str, *, timeout_s: float = 5.0) -> Redis:
    """A client for reads of one key that do not block, which any number of tasks may use.

    A read whose reply is lost fails, as with a reader. In a cluster as `reader_of`.
    """
    return _client(
        await _place_of(url, key),
        waits_s=_WAIT_S,
        max_connections=_MOST_READING,
        socket_timeout=timeout_s,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )


async def reader_of(url: str, key: str, *, block_s: float) -> Redis:
    """A reader for one key: in a cluster, a plain client of the node that holds it now.

    redis-py's cluster client asks the server for the keys of each blocking read, which is two more
    round trips: https://github.com/redis/redis-py/issues/2229. When the key moves, the node says
    so with an error, and whoever reads asks for a reader again.
    """
    return _client(await _place_of(url, key), **_reading(block_s))


def sentinels_of(address: RedisAddress) -> Sentinels:
    """Whom to ask where the primary is."""
    return Sentinels(address, **_ALWAYS)


async def _place_of(url: str, key: str) -> RedisAddress:
    """Where a key is: in a cluster, the node that holds it now."""
    address = RedisAddress.of(url)
    if address.kind != "cluster":
        return address
    async with _cluster(address, socket_timeout=2, socket_connect_timeout=2) as cluster:
        node = cluster.get_node_from_key(key)
    if node is None:
        raise RedisConnectionError(f"no node of the cluster holds {key}")
    return replace(address, kind="server", nodes=((node.host, int(node.port)),))


def _reading(block_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": 2 * block_s + 3,
        "socket_connect_timeout": 2,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 4,
    }


def _client(
    address: RedisAddress, *, is_single: bool = False, waits_s: float | None = None, **options: Any
) -> Redis:
    """A client; it `is_single` in its connection, or has a pool that tasks may wait for."""
    if address.kind == "cluster":
        # The cluster's client has the commands of the other one; what it cannot do (several slots
        # in one command) nobody here asks of it.
        return cast("Redis", _cluster(address, waits_s=waits_s, **options))
    options |= {"db": address.db, **_account(address), **_ALWAYS}
    pool: ConnectionPool
    if address.kind == "sentinel":
        sentinels = sentinels_of(address)
        kind = PrimaryConnection if address.tls is None else PrimaryTlsConnection
        options |= {"connection_class": kind, **(address.tls or {})}
        if waits_s is None:
            pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
                address.service, sentinels, **options
            )
        else:
            pool = WaitingSentinelPool(  # type: ignore[no-untyped-call]
                address.service, sentinels, timeout=waits_s, **options
            )
        return _OfSentinels(pool, sentinels, is_single=is_single)
    options |= _way_to(address)
    if waits_s is None:
        pool = ConnectionPool(**options)
    else:
        pool = BlockingConnectionPool(timeout=waits_s, **options)
    return _OfServer(pool, is_single=is_single)


def _way_to(address: RedisAddress) -> dict[str, Any]:
    if address.path:
        return {"connection_class": SocketFileConnection, "path": address.path}
    ((host, port),) = address.nodes
    return {
        "connection_class": TcpConnection if address.tls is None else TlsConnection,
        "host": host,
        "port": port,
        **(address.tls or {}),
    }


class _OfServer(Redis):
    """A client that closes its pool with itself."""

    def __init__(self, pool: ConnectionPool, *, is_single: bool) -> None:
        super().__init__(connection_pool=pool, single_connection_client=is_single)
        self.auto_close_connection_pool = True


class _OfSentinels(_OfServer):
    """A client of the primary that the Sentinels name, which closes its connections to them too."""

    def __init__(self, pool: ConnectionPool, sentinels: Sentinels, *, is_single: bool) -> None:
        super().__init__(pool, is_single=is_single)
        self._sentinels = sentinels

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001
        await super().aclose(close_connection_pool)
        await self._sentinels.aclose()


def _cluster(
    address: RedisAddress,
    *,
    waits_s: float | None = None,
    max_connections: int | None = None,
    **options: Any,
) -> ClusterClient:
    if max_connections:  # of each node; half of them is for pipelines
        options["max_connections"] = 2 * max_connections
    return ClusterClient(
        at_once=max_connections,
        waits_s=waits_s,
        startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
        ssl=address.tls is not None,
        **(address.tls or {}),
        **_account(address),
        **_ALWAYS,
        **options,
    )


def _account(address: RedisAddress) -> dict[str, Any]:
    return {"username": address.username, "password": address.password}


_ALWAYS: Final[dict[str, Any]] = {
    "legacy_responses": False,  # one shape of replies on RESP2 and RESP3
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    "driver_info": None,  # CLIENT SETINFO fills the ACL log of restricted users
}
