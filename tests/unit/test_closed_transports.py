"""What uvloop says of a transport that is closed, and what is made of it."""

import asyncio
import socket

import pytest
import uvloop

from gateway.closed_transports import closed_as_reset


def test_writing_to_a_closed_transport_is_a_reset_connection() -> None:
    async def write() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            _reader, writer = await asyncio.open_connection(sock=ours)
            writer.transport.abort()
            await asyncio.sleep(0)
            with closed_as_reset():
                writer.write(b"anything")

    with pytest.raises(ConnectionResetError):
        uvloop.run(write())


def test_another_error_is_left_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="of another kind"), closed_as_reset():
        raise RuntimeError("of another kind")
