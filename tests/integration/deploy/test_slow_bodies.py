"""Slow clients of nginx and Caddy as deploy/ has them, with a receiver behind."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.settings import HttpSettings
from tests.integration.deploy.edge import NAME, PATH, Edge, Proxy, caddy, nginx, open_edge
from tests.integration.deploy.files import DEPLOY
from tests.integration.protection.edge import BODY, FORM, HEAD, serving

LIMIT = 32


@asynccontextmanager
async def slow_bodies(
    edge: Edge, count: int, *, addresses: list[str]
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections, from these addresses in turn, that send one byte of a body."""
    head = HEAD.replace("Host: x", f"Host: {NAME}") + "Content-Length: 60000\r\n\r\ne"
    connections = []
    for number in range(count):
        connection = await asyncio.open_connection(
            "127.0.0.1",
            edge.https,
            ssl=edge.trust,
            server_hostname=NAME,
            local_addr=(addresses[number % len(addresses)], 0),
        )
        connection[1].write(head.encode())
        connections.append(connection)
    try:
        yield [reader for reader, _ in connections]
    finally:
        for _, writer in connections:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


async def refusals(readers: list[asyncio.StreamReader]) -> int:
    """How many were answered 503 at once."""
    found = 0
    for reader in readers:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                found += (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    return found


async def test_an_address_with_many_slow_bodies_is_refused_and_others_are_not(
    tmp_path: Path,
) -> None:
    async with (
        serving(tmp_path) as serve,
        open_edge(tmp_path, await serve(), proxy=nginx(worker_connections=8192)) as edge,
        slow_bodies(edge, 100, addresses=["127.0.0.2"]) as readers,
    ):
        answers = [await edge.send("POST", PATH, body=BODY, headers=FORM) for _ in range(20)]

        assert [status for status, _, _ in answers] == [200] * 20
        assert await refusals(readers) == 100 - LIMIT


async def test_a_thousand_slow_bodies_of_many_addresses_leave_every_delivery_its_answer(
    tmp_path: Path,
) -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 42)]
    async with (
        serving(tmp_path) as serve,
        open_edge(tmp_path, await serve(), proxy=nginx(worker_connections=8192)) as edge,
        slow_bodies(edge, 1000, addresses=addresses),
    ):
        answers = [await edge.send("POST", PATH, body=BODY, headers=FORM) for _ in range(20)]

    assert [status for status, _, _ in answers] == [200] * 20


@asynccontextmanager
async def slow_client(edge: Edge, begun: str) -> AsyncIterator[asyncio.StreamReader]:
    """The answers to a client that begins a delivery like this, and does not go on."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", edge.https, ssl=edge.trust, server_hostname=NAME
    )
    writer.write(HEAD.replace("Host: x", f"Host: {NAME}").encode() + begun.encode())
    try:
        yield reader
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def all_of(answers: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed, in whatever way."""
    said = b""
    async with asyncio.timeout(60):
        with suppress(ConnectionError):
            while part := await answers.read(4096):
                said += part
    return said


@pytest.mark.parametrize("proxy", [nginx(patience_s=1), caddy(head_s=1)], ids=["nginx", "caddy"])
async def test_whoever_does_not_end_a_head_is_cut_off(tmp_path: Path, proxy: Proxy) -> None:
    """After a second here, and after ten by the examples."""
    async with (
        serving(tmp_path) as serve,
        open_edge(tmp_path, await serve(), proxy=proxy) as edge,
        slow_client(edge, "") as answers,
    ):
        assert (await edge.send("POST", PATH, body=BODY, headers=FORM))[0] == 200
        assert not (await all_of(answers)).startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize("proxy", [nginx(patience_s=1), caddy()], ids=["nginx", "caddy"])
async def test_whoever_does_not_end_a_body_is_not_told_that_it_was_stored(
    tmp_path: Path, proxy: Proxy
) -> None:
    """By nginx itself. For Caddy it is the receiver that does not wait, for a second here."""
    async with (
        serving(tmp_path) as serve,
        open_edge(tmp_path, await serve(body_timeout_s=1), proxy=proxy) as edge,
        slow_client(edge, "Content-Length: 60000\r\n\r\ne") as answers,
    ):
        assert (await edge.send("POST", PATH, body=BODY, headers=FORM))[0] == 200
        said = await all_of(answers)

    assert not said or said.startswith(b"HTTP/1.1 408 ")


def test_caddy_waits_longer_for_a_body_than_the_receiver() -> None:
    """It would answer 200 itself: findings/caddy-answers-200-to-a-late-body.sh."""
    (given_s,) = re.findall(r"read_body (\d+)s", (DEPLOY / "Caddyfile").read_text())

    assert int(given_s) >= 2 * HttpSettings().body_timeout_s
