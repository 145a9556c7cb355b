"""Opens connections to a Redis server for whoever only passes bytes on, and speaks TLS for them."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from redis.exceptions import RedisError

from gateway.redis_access.connections import sentinels_of
from gateway.redis_access.redis_url import RedisAddress

__all__ = ["BareConnection", "open_bare"]

BareConnection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_TIMEOUT_S: Final = 2.0
_VERIFYING: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


async def open_bare(address: RedisAddress) -> BareConnection:
    """Open a connection to the server, or to the primary that the Sentinels name now.

    Nobody has said who he is on it yet. Raises OSError if there is none. A cluster has several
    servers, and its address is none of them.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            if address.path:
                return await asyncio.open_unix_connection(address.path)
            host, port = await _place(address)
            if address.tls is None:
                return await asyncio.open_connection(host, port)
            return await asyncio.open_connection(host, port, ssl=_context(address.tls))
    except TimeoutError as error:
        raise OSError(f"{address} does not answer within {_TIMEOUT_S} s") from error


async def _place(address: RedisAddress) -> tuple[str, int]:
    if address.kind != "sentinel":
        return address.nodes[0]
    sentinels = sentinels_of(address)
    try:
        return await sentinels.discover_master(address.service)
    except RedisError as error:
        raise OSError(str(error)) from error
    finally:
        await sentinels.aclose()


def _context(tls: Mapping[str, Any]) -> ssl.SSLContext:
    """The options of a Redis URL, as docs/redis.md has them."""
    context = ssl.create_default_context(cafile=tls.get("ssl_ca_certs"))
    context.check_hostname = tls.get("ssl_check_hostname", True)
    context.verify_mode = _VERIFYING[tls.get("ssl_cert_reqs", "required")]
    if "ssl_certfile" in tls:
        context.load_cert_chain(
            tls["ssl_certfile"], tls.get("ssl_keyfile"), tls.get("ssl_password")
        )
    return context
