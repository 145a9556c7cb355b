"""The public port over real HTTP: networks, proxies, and no more connections than there may be."""

import asyncio
import gc
from contextlib import AsyncExitStack, suppress

import aiohttp
import pytest

from tests.integration.protection.edge import BODY, HEAD, PATH, Serve, counted, post
from tests.support.connections import connected


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
    async with connected(port) as (reader, writer):
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
        writer.write(head.encode())

        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")


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


async def test_whoever_only_holds_connections_keeps_nobody_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.bounded_server._INSTANT_S", 0.0)
    port = await serve(max_connections=5)
    before = counted("refused", "too_many_connections")
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(port)) for _ in range(5)]

        for _ in range(3):
            assert (await post(port))[0] == 200

        assert counted("refused", "too_many_connections") >= before + 1
        async with asyncio.timeout(5):
            assert await silent[0][0].read() == b""


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
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.bounded_server._INSTANT_S", 60.0)
    port = await serve(max_connections=2)
    head = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n"
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(connected(port)) for _ in range(2)]
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
    gc.collect()  # a task that failed unseen tells so when it goes
    assert caplog.records == []


async def test_a_further_head_that_is_never_finished_is_cut(serve: Serve) -> None:
    port = await serve(keepalive_s=0.3)
    async with connected(port) as (reader, writer):
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"ready")

        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: ".encode())

        async with asyncio.timeout(5):
            assert await reader.read() == b""
