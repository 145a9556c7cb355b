"""Each topology of docs/redis.md with real servers: what its URL says there is what is started."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access.redis_url import RedisAddress
from tests.support.certificates import Certificates
from tests.support.guarded_server import Guard, GuardedServer, require_tls
from tests.support.redis_cluster import redis_cluster
from tests.support.redis_sentinel import sentinels_of
from tests.support.stage import SAFE

__all__ = ["CLUSTERS", "SENTINELS", "TOPOLOGIES", "Deployment", "deployed", "has_tls"]

_PAGE: Final = Path(__file__).parents[2] / "docs" / "redis.md"
_ROW: Final = re.compile(r"^\| (.+?) \| `([^`]+)`.*\|$", re.MULTILINE)
_URLS: Final = {label: url for label, url in _ROW.findall(_PAGE.read_text()) if "://" in url}

_OF_PAGE: Final = {
    "one server": "one server",
    "TLS": "one server with TLS",
    "client's certificate": "one server that wants a client's certificate",
    "Sentinels": "a primary that Sentinels name",
    "Sentinels, TLS": "a primary that Sentinels name, with TLS",
    "cluster": "a cluster, of which some nodes are named",
    "cluster, TLS": "a cluster with TLS",
}
TOPOLOGIES: Final = tuple(_OF_PAGE)
SENTINELS: Final = ("Sentinels", "Sentinels, TLS")
CLUSTERS: Final = ("cluster", "cluster, TLS")

_AT_ONCE: Final = ("--repl-diskless-sync-delay", "0")
_PATIENT: Final = ("--cluster-node-timeout", "5000")
"""Six nodes and as many processes share this machine: who is late has not failed."""
_HOSTS: Final = re.compile(r"(?<=@)[^/?]+")


class Deployment(Struct, frozen=True, kw_only=True):
    """Running servers, the primaries first, and the URL that leads to them as the page has it.

    `setting` is what processes are told: the URL, or the file that has it. `guard` is what any
    further server has to ask for.
    """

    url: str
    setting: str
    servers: list[RedisServer]
    guard: Guard


def has_tls(topology: str) -> bool:
    """Whether the URL of the page asks for TLS."""
    return RedisAddress.of(_URLS[_OF_PAGE[topology]]).tls is not None


@asynccontextmanager
async def deployed(
    topology: str, binary: ServerBinary, directory: Path
) -> AsyncIterator[Deployment]:
    """A topology under the accounts of the page. Raises NotHere if the server has no TLS."""
    example = _URLS[_OF_PAGE[topology]]
    address = RedisAddress.of(example)
    if address.tls is not None:
        require_tls(binary)
    guard = Guard(
        password=address.password or "",
        user=address.username or "",
        certificates=None if address.tls is None else Certificates.made_in(directory / "tls"),
        asks_clients="ssl_certfile" in (address.tls or {}),
    )
    async with AsyncExitStack() as stack:
        if address.kind == "cluster":
            servers = await stack.enter_async_context(
                redis_cluster(
                    binary,
                    directory,
                    primaries=3,
                    replicas=3,
                    guard=guard,
                    options=(*SAFE, *_PATIENT),
                )
            )
            ports = [server.port for server in servers[:3]]
        elif address.kind == "sentinel":
            servers = _replicated(binary, directory, guard, stack.callback)
            ports = await stack.enter_async_context(
                sentinels_of(
                    binary,
                    directory,
                    servers[0],
                    guard=guard,
                    replicas=len(servers) - 1,
                    password=address.sentinel_password or "",
                )
            )
        else:
            servers = [_started(binary, directory / "redis", guard, stack.callback)]
            ports = [servers[0].port]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = _HOSTS.sub(hosts, example, count=1).replace("/etc/gateway", str(directory / "tls"))
        setting = url
        if guard.asks_clients:  # in one of them, elsewhere than in the settings
            file = directory / "redis_url"
            file.touch(mode=0o600)
            file.write_text(f"{url}\n")
            setting = f"file:{file}"
        yield Deployment(url=url, setting=setting, servers=servers, guard=guard)


def _started(
    binary: ServerBinary,
    directory: Path,
    guard: Guard,
    at_end: Callable[..., object],
    *options: str,
) -> GuardedServer:
    server = GuardedServer(binary, directory, guard, options=(*SAFE, *options))
    at_end(server.stop)
    server.start()
    return server


def _replicated(
    binary: ServerBinary, directory: Path, guard: Guard, at_end: Callable[..., object]
) -> list[RedisServer]:
    """A primary and two replicas."""
    primary = _started(binary, directory / "redis-0", guard, at_end, *_AT_ONCE)
    following = ("--replicaof", f"127.0.0.1 {primary.port}", *_AT_ONCE)
    replicas = [
        _started(binary, directory / f"redis-{number}", guard, at_end, *following)
        for number in (1, 2)
    ]
    return [primary, *replicas]
