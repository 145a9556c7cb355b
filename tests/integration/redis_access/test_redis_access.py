"""Getting into Redis: passwords of servers and Sentinels, TLS, a full pool, and what is said."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import trustme
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from gateway.redis_access.bare_connections import open_bare
from gateway.redis_access.redis_faults import RedisFault, fault_of, is_denied
from gateway.redis_access.redis_url import RedisAddress
from tests.support.redis_sentinel import sentinel_of

PASSWORD = "fake/pass#word%"


@pytest.fixture
async def guarded_server(own_server: RedisServer) -> RedisServer:
    """A server that asks for a password."""
    async with connections.control(own_server.url) as redis:
        await redis.config_set("requirepass", PASSWORD)
    return own_server


async def answer(url: str) -> bool:
    async with connections.control(url) as redis:
        return bool(await redis.ping())


async def failure(url: str) -> Exception:
    with pytest.raises(connections.FAILURES) as caught:
        await answer(url)
    return caught.value


async def failure_to_publish(url: str) -> Exception:
    """Of the client that repeats nothing."""
    publisher: Any = connections.publisher(url)
    try:
        with pytest.raises(connections.FAILURES) as caught:
            await publisher.execute_command("PING")
    finally:
        await publisher.aclose()
    return caught.value


async def test_a_password_with_any_character_opens_a_server(guarded_server: RedisServer) -> None:
    assert await answer(f"redis://:{PASSWORD}@127.0.0.1:{guarded_server.port}/0")


async def test_a_wrong_password_is_a_refusal_and_no_absence(guarded_server: RedisServer) -> None:
    error = await failure(f"redis://:fake@127.0.0.1:{guarded_server.port}/0")

    assert fault_of(error) is RedisFault.REFUSING
    assert is_denied(error)


@pytest.mark.parametrize("of_sentinel", ["", PASSWORD, "fake-other"])
async def test_sentinels_are_given_the_password_that_they_ask_for(
    server_binary: ServerBinary, guarded_server: RedisServer, tmp_path: Path, of_sentinel: str
) -> None:
    own = f"?sentinel_password={of_sentinel}" if of_sentinel == "fake-other" else ""
    async with sentinel_of(
        server_binary,
        tmp_path / "sentinel",
        guarded_server,
        primary_password=PASSWORD,
        password=of_sentinel,
    ) as port:
        url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/mine{own}"

        assert await answer(url)
        async with connections.reader(url, block_s=1) as reader:
            assert await reader.ping()
        async with connections.publisher(url) as publisher:
            assert await publisher.ping()


async def test_a_sentinel_that_refuses_is_named_with_its_reason_and_soon(
    server_binary: ServerBinary, guarded_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(
        server_binary,
        tmp_path / "sentinel",
        guarded_server,
        primary_password=PASSWORD,
        password="fake-other",
    ) as port:
        started = perf_counter()
        error = await failure_to_publish(f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/mine")

    assert perf_counter() - started < 5
    assert is_denied(error)
    assert f"the Sentinel at 127.0.0.1:{port}: AuthenticationError" in str(error)
    assert PASSWORD not in str(error)


async def test_each_sentinel_says_why_it_does_not_help(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    nobody = free_port()
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        error = await failure(f"redis+sentinel://127.0.0.1:{port},127.0.0.1:{nobody}/other")

    assert fault_of(error) is RedisFault.AWAY
    assert f"the Sentinel at 127.0.0.1:{port} knows no 'other'" in str(error)
    assert f"the Sentinel at 127.0.0.1:{nobody}: ConnectionError" in str(error)


async def test_tls_to_a_sentinel_without_it_is_answered_soon(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        started = perf_counter()
        error = await failure_to_publish(f"rediss+sentinel://127.0.0.1:{port}/mine")

    assert perf_counter() - started < 5
    assert f"the Sentinel at 127.0.0.1:{port}: TimeoutError: " in str(error)
    assert "; does it speak TLS?" in str(error)


@asynccontextmanager
async def tls_in_front_of(
    server: RedisServer, authority: trustme.CA, *, asks: bool = False
) -> AsyncIterator[int]:
    """The port of a proxy that speaks TLS, as the servers of the tests cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while some := await source.read(65_536):
                sink.write(some)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    proxy = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]


async def test_tls_believes_the_authority_of_the_url_and_no_other(
    own_server: RedisServer, tmp_path: Path
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    async with tls_in_front_of(own_server, authority) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}"

        assert await answer(f"{url}/ca.pem")
        assert await bare_answer(f"{url}/ca.pem") == b"+PONG\r\n"
        error = await failure(f"{url}/other.pem")
        with pytest.raises(OSError, match="certificate verify failed"):
            await bare_answer(f"{url}/other.pem")

    assert fault_of(error) is RedisFault.AWAY
    assert "certificate verify failed" in str(error)


async def test_a_server_may_ask_for_the_clients_certificate(
    own_server: RedisServer, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert("gateway@example.com")
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    async with tls_in_front_of(own_server, authority, asks=True) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/ca.pem"

        certified = f"{url}&ssl_certfile={tmp_path}/client.pem&ssl_keyfile={tmp_path}/client.key"
        assert await answer(certified)
        assert await bare_answer(certified) == b"+PONG\r\n"
        assert fault_of(await failure(url)) is RedisFault.AWAY


async def bare_answer(url: str) -> bytes:
    """What the server answers to a PING on a bare connection."""
    reader, writer = await open_bare(RedisAddress.of(url))
    try:
        writer.write(b"PING\r\n")
        return await reader.readline()
    finally:
        writer.close()


async def test_a_bare_connection_leads_to_the_primary_that_a_sentinel_names(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        assert await bare_answer(f"redis+sentinel://127.0.0.1:{port}/mine") == b"+PONG\r\n"
        with pytest.raises(OSError, match="knows no 'other'"):
            await bare_answer(f"redis+sentinel://127.0.0.1:{port}/other")


async def many_at_once(redis: Redis) -> int:
    """How many of 300 commands at once succeeded; raises what one of them raised."""
    answers = await asyncio.gather(*(redis.set(f"key-{number}", 1) for number in range(300)))
    return sum(map(bool, answers))


async def test_commands_wait_for_a_connection_of_a_small_pool(redis_url: str) -> None:
    async with connections.control(redis_url) as redis:
        assert await many_at_once(redis) == 300


async def test_commands_wait_for_a_connection_to_the_primary_of_sentinels(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        url = f"redis+sentinel://127.0.0.1:{port}/mine"
        async with connections.control(url) as redis:
            assert await many_at_once(redis) == 300


async def test_a_slot_that_another_task_took_out_of_the_tables_is_away(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        cluster: Any = redis
        await redis.set("k", "v")
        cluster.nodes_manager.slots_cache.clear()

        with pytest.raises(RedisConnectionError, match="no node is known") as failed:
            await redis.get("k")
        assert fault_of(failed.value) is RedisFault.AWAY
        assert await redis.get("k") == b"v"

        cluster.nodes_manager.slots_cache.clear()
        with pytest.raises(RedisConnectionError, match="no node is known"):
            await cluster.pipeline().get("k").execute()
        assert await cluster.pipeline().get("k").execute() == [b"v"]


async def test_commands_wait_for_a_connection_to_a_node_of_a_cluster(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        assert await many_at_once(redis) == 300
