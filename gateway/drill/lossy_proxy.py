"""Stands between a client and a server, and can lose replies, cut connections and hold them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias

from gateway.background import owned
from gateway.drill.waiting import until
from gateway.ending import end

__all__ = ["Connect", "LossyProxy", "on_loopback"]

Connect: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens a connection to a server; raises OSError if there is none."""

_CHUNK_BYTES: Final = 1 << 16


def on_loopback(port: int) -> Connect:
    """The way to who listens at this port of loopback."""
    return partial(asyncio.open_connection, "127.0.0.1", port)


class LossyProxy:
    """Forwards bytes to where `connect` leads; listens on a free port of loopback while entered.

    A server that goes away is `cut`, a network that has broken without a word is `hold`, and a
    reply that is lost after the server has carried the commands out is `lose_replies`.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._to_lose = 0
        self._is_cut = False
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lost = 0

    @property
    def url(self) -> str:
        """Where a Redis server is reached through it, without an account."""
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_replies(self, count: int) -> None:
        """Swallow the next `count` chunks that the server sends, and cut their connections."""
        self._to_lose = count

    def cut(self) -> None:
        """Cut all connections, and each new one as soon as it is made, until `mend`."""
        self._is_cut = True
        for task in self._tasks:
            task.cancel()

    def hold(self) -> None:
        """Let nothing through any more, in either direction, until `mend`; connections stay open.

        What is held comes through afterwards, late, as after a network has healed.
        """
        self._passes.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self._is_cut = False
        self._to_lose = 0
        self._passes.set()

    def lead_to(self, connect: Connect) -> None:
        """Lead new connections elsewhere, as an address does that moves to another server."""
        self._connect = connect

    async def until_lost(self, *, timeout_s: float = 10) -> None:
        """Wait until all replies that are to be lost are; raises NotInTime."""
        await until(lambda: not self._to_lose, timeout_s=timeout_s, what="replies are lost")

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        await end(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._is_cut:
            writer.transport.abort()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._connect()
        pumps = [
            owned(self._pump(reader, far_writer, is_reply=False)),
            owned(self._pump(far_reader, writer, is_reply=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.close()
            await end(*pumps)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if is_reply and self._to_lose:
                    self._to_lose -= 1
                    self.lost += 1
                    return
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
