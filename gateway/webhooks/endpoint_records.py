"""Records how each endpoint answered last, where operators look: in Redis.

    b24:relay:endpoints   hash: an endpoint's name -> JSON of EndpointRecord

The relay writes it, `gateway relay list` reads it, and with an endpoint's group its field goes.
What is only there to be looked at may be some seconds old.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

__all__ = ["EndpointRecord", "forget_record", "read_records", "write_records"]


class EndpointRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last attempt at an endpoint; times are RFC 3339, UTC.

    `status` is what it answered, None if it did not; `error` says why the attempt failed.
    `delivered_at` is when it took an event last, and `failing_since` since when it takes none.
    """

    at: str = ""
    status: int | None = None
    took_ms: float | None = None
    error: str = ""
    delivered_at: str | None = None
    failing_since: str | None = None


def _key(prefix: str) -> str:
    return f"{prefix}:relay:endpoints"


async def write_records(
    redis: Redis, records: Mapping[str, EndpointRecord], *, prefix: str
) -> None:
    """Write these. Idempotent; raises what the client raises."""
    fields: Any = {name: msgspec.json.encode(one).decode() for name, one in records.items()}
    await redis.hset(_key(prefix), mapping=fields)


async def forget_record(redis: Redis, name: str, *, prefix: str) -> None:
    """Forget an endpoint. Idempotent; raises what the client raises."""
    asked: Any = redis.hdel(_key(prefix), name)
    await asked


async def read_records(redis: Redis, *, prefix: str) -> dict[str, EndpointRecord]:
    """Those of all endpoints that were ever tried; what cannot be read is left out."""
    asked: Any = redis.hgetall(_key(prefix))
    found = {}
    for name, value in (await asked).items():
        try:
            found[name.decode()] = msgspec.json.decode(value, type=EndpointRecord)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found
