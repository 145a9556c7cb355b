"""A TCP proxy in front of a server, which can lose replies and cut connections."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from tests.support.eventually import eventually


class LossyProxy:
    """Forwards to `port` on loopback; listens on a free port of its own.

    `lose_replies(n)`: the next n chunks that the server sends are swallowed, and their
    connections cut: the server carried the commands out, and the client never learns it. `hold()`
    is a network that has broken without a word.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._to_lose = 0
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lost = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_replies(self, count: int) -> None:
        self._to_lose = count

    def hold(self) -> None:
        """Let nothing through any more, in either direction; the connections stay open."""
        self._passes.clear()

    def lead_to(self, port: int) -> None:
        """Lead new connections to another server, as an address does that moves to it."""
        self._target = port

    async def until_lost(self, *, timeout_s: float = 10) -> None:
        """Wait until all replies that are to be lost are."""
        await eventually(lambda: not self._to_lose, timeout_s=timeout_s)

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
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.wait(
                    [
                        asyncio.create_task(self._pump(reader, far_writer, is_reply=False)),
                        asyncio.create_task(self._pump(far_reader, writer, is_reply=True)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                far_writer.close()
        writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if is_reply and self._to_lose:
                    self._to_lose -= 1
                    self.lost += 1
                    return
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
