"""The one place that makes Redis clients, because redis-py's defaults lose or double entries.

redis-py 8 repeats every command ten times, XADD included (a lost reply then is a second entry),
and cuts every read after five seconds, blocking ones included (the entries of the cut read stay
pending and unseen). docs/decisions/0003-redis-client.md has the measurements. So there are three
kinds of client, and none of them is for anything else:

* `publisher`: never repeats by itself; its owner repeats an idempotent script.
* `reader`: for blocking reads; waits longer than the server blocks; never repeats.
* `control`: for commands that may be repeated (XACK, XINFO, XRANGE, SET, leases).
"""

from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

__all__ = ["AWAY", "control", "publisher", "reader"]

AWAY: Final = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a client raises when the server cannot be reached; the command may have been carried out."""


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


def _client(url: str, **options: Any) -> Redis:
    return Redis.from_url(
        url,
        legacy_responses=False,  # one shape of replies on RESP2 and RESP3
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        driver_info=None,  # CLIENT SETINFO fills the ACL log of restricted users
        **options,
    )
