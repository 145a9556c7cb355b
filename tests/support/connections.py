"""Plain connections to a port on loopback, closed whatever the test does with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

__all__ = ["Connection", "connected", "is_listening"]

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection; closed in good order at the end, and cut off if the test fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    except BaseException:
        writer.transport.abort()
        raise
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def is_listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        async with connected(port):
            return True
    except OSError:
        return False
