"""The one place that makes Redis clients, because redis-py's defaults lose or double entries.

redis-py 8 repeats every command ten times, XADD included (a lost reply then is a second entry),
and cuts every read after five seconds, blocking ones included (the entries of the cut read stay
pending and unseen). docs/decisions/0003-redis-client.md has the measurements. So there are three
kinds of client, and none of them is for anything else:

* `publisher`: never repeats by itself; its owner repeats an idempotent script.
* `reader`: for blocking reads; waits longer than the server blocks; never repeats.
* `control`: for commands that may be repeated (XACK, XINFO, XRANGE, SET, leases).
"""

from typing import Any, Final, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from gateway.addresses import Address
from gateway.redis_faults import AWAY, AWAY_OR_REFUSING, FAILURES, Fault, fault_of, is_denied

__all__ = [
    "AWAY",
    "AWAY_OR_REFUSING",
    "FAILURES",
    "Fault",
    "control",
    "fault_of",
    "is_denied",
    "publisher",
    "reader",
    "reader_of",
]


def publisher(url: str, *, timeout_s: float | None = None) -> Redis:
    """A client with one connection for one publisher: no command is ever sent twice by it.

    Without `timeout_s` a command takes as long as it takes, and its caller sets the deadline: a
    time-out of the client's own costs a task for every command.
    """
    return _client(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=1.0,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
    )


def reader(url: str, *, block_s: float) -> Redis:
    """A client for reads that block up to `block_s`: one connection, no repetition.

    The margin covers servers that answer a blocked read late:
    https://github.com/redis/redis/issues/12998
    """
    return _client(
        url,
        socket_timeout=2 * block_s + 3,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        max_connections=4,
    )


def control(url: str, *, timeout_s: float = 2.0) -> Redis:
    """A client for short commands that may safely be carried out twice."""
    return _client(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2),
    )


async def reader_of(url: str, key: str, *, block_s: float) -> Redis:
    """A reader for one key: in a cluster, a plain client of the node that holds it now.

    redis-py's cluster client asks the server for the keys of each blocking read, which is two more
    round trips: https://github.com/redis/redis-py/issues/2229. When the key moves, the node says
    so with an error, and whoever reads asks for a reader again.
    """
    address = Address.of(url)
    if address.kind != "cluster":
        return reader(url, block_s=block_s)
    async with _cluster(address, socket_timeout=2, socket_connect_timeout=2) as cluster:
        node = cluster.get_node_from_key(key)
    if node is None:
        raise RedisConnectionError(f"no node of the cluster holds {key}")
    return Redis(
        host=node.host,
        port=int(node.port),
        socket_timeout=2 * block_s + 3,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        max_connections=4,
        **_account(address),
        **_ALWAYS,
    )


class _OfSentinels(Redis):
    """A client of the primary that the Sentinels name, which closes its connections to them too."""

    finder: Sentinel

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001
        await super().aclose(close_connection_pool)
        for one in self.finder.sentinels:
            await one.aclose()


def _client(url: str, **options: Any) -> Redis:
    address = Address.of(url)
    if address.kind == "server":
        return Redis.from_url(url, **_ALWAYS, **options)
    if address.kind == "cluster":
        options.pop("single_connection_client", None)
        options.pop("max_connections", None)
        # The cluster's client has the commands of the other one; what it cannot do (several slots
        # in one command) nobody here asks of it.
        return cast("Redis", _cluster(address, **options))
    return _of_sentinels(address, **options)


def _of_sentinels(address: Address, **options: Any) -> Redis:
    options.pop("single_connection_client", None)
    tls: dict[str, Any] = {"ssl": True} if address.has_tls else {}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        list(address.nodes),
        sentinel_kwargs={"socket_timeout": 1, "socket_connect_timeout": 1, **tls, **_ALWAYS},
    )
    client: _OfSentinels = sentinel.master_for(
        address.service,
        redis_class=_OfSentinels,
        db=address.db,
        **_account(address),
        **_ALWAYS,
        **options,
    )
    client.finder = sentinel
    return client


class _OfCluster(RedisCluster):
    """A client that says ConnectionError when another task closed a connection under it.

    While nodes change their roles redis-py closes the connections of a cluster's client whoever
    uses them, and then fails with an AttributeError of its own, which nobody would take for a
    reason to try again: https://github.com/redis/redis-py/issues/4287
    """

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().execute_command(*args, **kwargs)
        except AttributeError as error:
            if error.obj is not None:
                raise
            raise RedisConnectionError("closed meanwhile by another task") from error


def _cluster(address: Address, **options: Any) -> RedisCluster:
    return _OfCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
        **_account(address),
        **_ALWAYS,
        **options,
    )


def _account(address: Address) -> dict[str, Any]:
    return {
        "username": address.username,
        "password": address.password,
        **({"ssl": True} if address.has_tls else {}),
    }


_ALWAYS: Final[dict[str, Any]] = {
    "legacy_responses": False,  # one shape of replies on RESP2 and RESP3
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    "driver_info": None,  # CLIENT SETINFO fills the ACL log of restricted users
}
