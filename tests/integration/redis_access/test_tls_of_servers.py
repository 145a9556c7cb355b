"""Servers with TLS of their own: one that hangs while it is closed, one that is spoken to without.

redis-py waits for a farewell as long as for a connection, and raises TimeoutError then, whoever
closes.
"""

import os
import signal
from pathlib import Path

import pytest

from gateway.local.redis_server import ServerBinary
from gateway.redis_access import connections
from tests.support.certificates import Certificates
from tests.support.guarded_server import Guard, GuardedServer
from tests.support.redis_cluster import redis_cluster
from tests.support.redis_sentinel import sentinel_of
from tests.support.server_matrix import NotHere, server_named

_WITH_TLS = "Redis 7.0"


@pytest.fixture
def with_tls() -> ServerBinary:
    try:
        return server_named(_WITH_TLS)
    except NotHere as reason:
        pytest.skip(f"not here: {reason}")


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(certificates=Certificates.made_in(tmp_path / "tls"))


async def close_while_it_hangs(url: str, hanging: str) -> None:
    """Each kind of client, which has a connection; `hanging` is the URL of what hangs."""
    async with connections.control(hanging) as client:
        pid = (await client.info("server"))["process_id"]
    for client in (
        connections.control(url),
        connections.publisher(url),
        connections.reader(url, block_s=0.1),
    ):
        assert await client.ping()
        os.kill(pid, signal.SIGSTOP)
        try:
            await client.aclose()
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_server_hangs_while_connections_to_it_are_closed(
    with_tls: ServerBinary, guard: Guard, tmp_path: Path
) -> None:
    server = GuardedServer(with_tls, tmp_path / "redis", guard)
    server.start()
    try:
        await close_while_it_hangs(server.url, server.url)
    finally:
        server.stop()


async def test_a_node_of_a_cluster_hangs_meanwhile(
    with_tls: ServerBinary, guard: Guard, tmp_path: Path
) -> None:
    async with redis_cluster(with_tls, tmp_path, primaries=1, guard=guard) as nodes:
        url = nodes[0].url.replace("rediss:", "rediss+cluster:")
        await close_while_it_hangs(url, nodes[0].url)


async def test_a_sentinel_hangs_meanwhile(
    with_tls: ServerBinary, guard: Guard, tmp_path: Path
) -> None:
    server = GuardedServer(with_tls, tmp_path / "redis", guard)
    server.start()
    try:
        async with sentinel_of(with_tls, tmp_path / "sentinel", server, guard=guard) as port:
            sentinel = guard.url(port)
            url = sentinel.replace("rediss:", "rediss+sentinel:").replace("/0?", "/mine?")
            await close_while_it_hangs(url, sentinel)
    finally:
        server.stop()


async def test_a_sentinel_that_wants_tls_is_told_of_to_who_speaks_none(
    with_tls: ServerBinary, guard: Guard, tmp_path: Path
) -> None:
    server = GuardedServer(with_tls, tmp_path / "redis", guard)
    server.start()
    try:
        async with (
            sentinel_of(with_tls, tmp_path / "sentinel", server, guard=guard) as port,
            connections.control(f"redis+sentinel://127.0.0.1:{port}/mine") as client,
        ):
            with pytest.raises(connections.FAILURES) as failed:
                await client.ping()
    finally:
        server.stop()

    assert f"the Sentinel at 127.0.0.1:{port}: ConnectionError: " in str(failed.value)
    assert "; does it want TLS (rediss+sentinel://)?" in str(failed.value)
