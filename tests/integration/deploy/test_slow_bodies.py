"""Slow bodies through nginx as deploy/nginx.conf has it, with a receiver behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.integration.deploy.edge import NAME, PATH, Edge, nginx, open_edge
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
