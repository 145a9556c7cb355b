"""Clients that go away in the middle, and clients that never get to the end."""

import asyncio
import random
import socket
import struct
import time

import pytest

from gateway.drill.delivery_load import FIRST_TS, request_of
from tests.support.connections import connected
from tests.support.receiver_process import Receiver
from tests.support.stage import Stage

OTHERS_TS = FIRST_TS + 1_000_000


@pytest.mark.short
async def test_clients_disconnect_in_the_middle_of_requests(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(server.url)
    chance = random.Random(1)
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        for number in range(1000):
            request = request_of(7, OTHERS_TS + number)
            # All of it, half of the body, half of the headers, or nothing.
            part = chance.choice((len(request), len(request) - 300, 60, 0))
            await leave(receiver, request[:part], resets=chance.random() < 0.5)
        await load.until_answered_from("stream", timeout_s=10)

    account = await stage.settle(load.deliveries, server)

    assert account.refused == account.unanswered == 0
    # Whoever sent all of a request and left may find it stored, once; nobody else's is.
    assert account.accepted <= account.stored <= account.accepted + 400


async def leave(receiver: Receiver, request: bytes, *, resets: bool) -> None:
    """Send a part of a request, and go: with a reset, or in good order."""
    async with connected(receiver.port) as (_, writer):
        if resets:
            how = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
        writer.write(request)
        await asyncio.sleep(0)


async def test_slow_clients_hold_up_nobody_and_are_cut_off(stage: Stage) -> None:
    server = stage.server()
    receiver = await stage.receiver(
        server.url, {"HTTP_HEADER_TIMEOUT_S": "2", "HTTP_BODY_TIMEOUT_S": "2"}
    )
    request = request_of(7, OTHERS_TS)
    body_at = request.index(b"\r\n\r\n") + 4
    async with stage.load(receiver) as load:
        await load.until_answered_from("stream", timeout_s=10)
        before = len(load.deliveries)
        lives = await asyncio.gather(
            *(trickle(receiver, request, sent_at_once=0) for _ in range(150)),
            *(trickle(receiver, request, sent_at_once=body_at) for _ in range(150)),
        )
        during = load.deliveries[before : before + 200]
        await load.until_answered_from("stream", timeout_s=10)

    account = await stage.settle(load.deliveries, server)

    assert max(lives) < 6
    waits = sorted(delivery.answered_at - delivery.sent_at for delivery in during)
    assert waits[len(waits) // 2] < 0.1
    assert account.refused == account.unanswered == 0


async def trickle(receiver: Receiver, request: bytes, *, sent_at_once: int) -> float:
    """Send a byte every tenth of a second; returns after how many seconds one is cut off."""
    async with connected(receiver.port) as (reader, writer):
        writer.write(request[:sent_at_once])
        started = time.monotonic()
        cut = asyncio.create_task(reader.read())
        try:
            for byte in request[sent_at_once:]:
                writer.write(bytes([byte]))
                done, _ = await asyncio.wait([cut], timeout=0.1)
                if done:
                    break
            return time.monotonic() - started
        finally:
            writer.transport.abort()
            await asyncio.gather(cut, return_exceptions=True)
