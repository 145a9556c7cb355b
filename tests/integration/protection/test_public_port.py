"""The public port over real HTTP: networks, proxies, and no more connections than there may be."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from gateway.contract import Streams
from gateway.portals.directory import Directory, Portal
from gateway.portals.verification import digest_of
from gateway.publishing.batch import Stored
from gateway.settings import Http
from gateway.web.protection.guard import guard_of
from gateway.web.public_server import PublicServer
from gateway.web.receiver import Receiver

BODY = (Path(__file__).parents[2] / "wire" / "comment-updated.app.form").read_bytes()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/bitrix24/events"
DIRECTORY = Directory(
    [
        Portal(
            member_id="010b6886ebc205e43ae65000ee00addb",
            domain="acme.bitrix24.com",
            digests=(digest_of("3c6c9248ec54af6bea1159b43ee0ab32"),),
        )
    ]
)
Serve = Callable[..., Awaitable[int]]


class Sink:
    async def publish(self, _event: bytes, _partition: int) -> Stored:
        return Stored.STREAM


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves with these settings of [http]; returns the port."""
    async with AsyncExitStack() as stack:

        async def listen(**given: Any) -> int:
            settings = Http(**given)
            receiver = Receiver(DIRECTORY, Sink(), Streams(), settings, guard=guard_of(settings))
            server = PublicServer(receiver, settings, max_connections=settings.max_connections)
            runner = web.ServerRunner(server)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            await stack.enter_async_context(server.sweeping())
            port: int = runner.addresses[0][1]
            return port

        yield listen


async def post(
    port: int, body: bytes = BODY, forwarded_for: str | None = None
) -> tuple[int, str, set[str]]:
    headers = FORM | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{PATH}", data=body, headers=headers) as response,
    ):
        return response.status, await response.text(), set(response.headers)


def counted(outcome: str, reason: str) -> float:
    labels = {"outcome": outcome, "reason": reason}
    return REGISTRY.get_sample_value("b24gw_deliveries_total", labels) or 0.0


async def test_a_client_of_another_network_gets_the_same_answer_as_one_with_a_wrong_token(
    serve: Serve,
) -> None:
    before = counted("forbidden", "not_allowed_network")
    outside = await serve(allow_mode="enforce", allow_networks=("192.0.2.0/24",))
    inside = await serve(allow_mode="enforce", allow_networks=("127.0.0.0/8",))

    refused = await post(outside)

    assert refused[:2] == (403, "forbidden")
    assert refused == await post(inside, BODY.replace(b"3c6c92", b"000000"))
    assert counted("forbidden", "not_allowed_network") == before + 1
    assert (await post(inside))[0] == 200


async def test_a_large_body_of_another_network_is_refused_unread(serve: Serve) -> None:
    port = await serve(allow_mode="enforce", allow_networks=("192.0.2.0/24",))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
    writer.write(head.encode())

    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    writer.close()


async def test_anybody_may_look(serve: Serve) -> None:
    port = await serve(allow_mode="enforce", allow_networks=("192.0.2.0/24",))

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{PATH}") as response,
    ):
        assert (response.status, await response.text()) == (200, "ready")


async def test_a_dry_run_refuses_nobody(serve: Serve) -> None:
    port = await serve(allow_mode="dry_run", allow_networks=("192.0.2.0/24",))

    assert (await post(port))[0] == 200


async def test_the_client_behind_a_trusted_proxy_counts_and_no_other_header_is_believed(
    serve: Serve,
) -> None:
    allowed = {"allow_mode": "enforce", "allow_networks": ("192.0.2.0/24",)}
    behind = await serve(**allowed, trusted_proxies=("127.0.0.1",))
    direct = await serve(**allowed)

    assert (await post(behind, forwarded_for="198.51.100.7, 192.0.2.7"))[0] == 200
    assert (await post(behind, forwarded_for="192.0.2.7, 198.51.100.7"))[0] == 403
    assert (await post(behind))[0] == 403
    assert (await post(direct, forwarded_for="192.0.2.7"))[0] == 403


async def silent_connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def test_whoever_only_holds_connections_keeps_nobody_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.public_server._INSTANT_S", 0.0)
    port = await serve(max_connections=5)
    before = counted("refused", "too_many_connections")
    silent = [await silent_connection(port) for _ in range(5)]

    for _ in range(3):
        assert (await post(port))[0] == 200

    assert counted("refused", "too_many_connections") >= before + 1
    async with asyncio.timeout(5):
        assert await silent[0][0].read() == b""
    for _, writer in silent:
        writer.close()


async def test_connections_that_are_idle_between_requests_make_room(serve: Serve) -> None:
    port = await serve(max_connections=3)
    idle = [aiohttp.ClientSession() for _ in range(3)]
    for session in idle:
        async with session.get(f"http://127.0.0.1:{port}{PATH}") as response:
            assert response.status == 200
    before = counted("refused", "too_many_connections")

    assert (await post(port))[0] == 200

    assert counted("refused", "too_many_connections") == before + 1
    for session in idle:
        await session.close()


async def test_when_all_are_at_work_a_further_one_is_refused_and_none_is_disturbed(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    port = await serve(max_connections=2)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n"
    head += f"Content-Length: {len(BODY)}\r\n\r\n"
    busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for _, writer in busy:
        writer.write(head.encode() + BODY[:10])
    before = counted("refused", "too_many_connections")
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        while counted("refused", "too_many_connections") < before + 10:
            with suppress(aiohttp.ClientError):
                await post(port)

    for reader, writer in busy:
        writer.write(BODY[10:])
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
    gc.collect()  # a task that failed unseen tells so when it goes
    assert caplog.records == []


async def test_a_further_head_that_is_never_finished_is_cut(serve: Serve) -> None:
    port = await serve(keepalive_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"ready")

    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: ".encode())

    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
