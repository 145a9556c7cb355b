"""A load of deliveries over keep-alive connections, and the CPU time of a process tree."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psutil

__all__ = ["Connection", "Load", "cpu_seconds", "request_bytes"]


def request_bytes(
    body: bytes, port: int, *, host: str = "127.0.0.1", path: str = "/bitrix24/events"
) -> bytes:
    """A delivery as it goes over the wire."""
    return (
        b"POST %s HTTP/1.1\r\n"
        b"Host: %s:%d\r\n"
        b"User-Agent: Bitrix24 Webhook Engine\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n" % (path.encode(), host.encode(), port, len(body))
    ) + body


class Connection(asyncio.Protocol):
    """Sends one request at a time; `answered` hears the head of each answer, `lost` the end.

    `sent_at` is when the last request was sent, by `time.monotonic`.
    """

    def __init__(
        self,
        answered: Callable[["Connection", bytes], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self._answered = answered
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self.sent_at = time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._received = b""
        self._answered(self, head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """`connections` clients of a port, each with one request under way at most."""

    def __init__(self, port: int, bodies: Iterator[bytes], *, connections: int = 64) -> None:
        self._port = port
        self._bodies = bodies
        self._count = connections
        self._connections: list[Connection] = []
        self.idle: list[Connection] = []
        self.in_flight = 0
        self.broken = 0
        self.is_closed_loop = False
        self.statuses: dict[str, int] = {}
        self.seconds: list[float] = []

    def _send(self, connection: Connection) -> None:
        self.in_flight += 1
        connection.send(request_bytes(next(self._bodies), self._port))

    def _answered(self, connection: Connection, head: bytes) -> None:
        self.in_flight -= 1
        status = head[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.seconds.append(time.monotonic() - connection.sent_at)
        if self.is_closed_loop:
            self._send(connection)
        else:
            self.idle.append(connection)

    def _lost(self, _connection: Connection) -> None:
        self.broken += 1

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(
                lambda: Connection(self._answered, self._lost), "127.0.0.1", self._port
            )
            self._connections.append(connection)
            self.idle.append(connection)

    async def as_fast_as_it_goes(self, seconds: float) -> int:
        """Keep every connection busy for a while; returns how many requests were answered."""
        before = len(self.seconds)
        self.is_closed_loop = True
        while self.idle:
            self._send(self.idle.pop())
        await asyncio.sleep(seconds)
        self.is_closed_loop = False
        await self._settled()
        return len(self.seconds) - before

    async def steadily(self, rate: float, seconds: float) -> int:
        """Send `rate` requests a second, each at its time; returns how many had to wait."""
        started, due, delayed = time.perf_counter(), 0, 0
        while (now := time.perf_counter() - started) < seconds:
            while due < now * rate:
                due += 1
                if self.idle:
                    self._send(self.idle.pop(0))
                else:
                    delayed += 1
            await asyncio.sleep(0.001)
        await self._settled()
        return delayed

    async def _settled(self) -> None:
        async with asyncio.timeout(10):
            while self.in_flight:
                await asyncio.sleep(0.001)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def cpu_seconds(pid: int, *, is_alone: bool = False) -> float:
    """CPU time of a process so far, in seconds, and, unless it `is_alone`, of its descendants.

    From the scheduler's statistics in nanoseconds, since /proc/<pid>/stat counts in ticks of 10 ms:
    https://docs.kernel.org/scheduler/sched-stats.html
    """
    parent = psutil.Process(pid)
    total = 0
    below = [] if is_alone else parent.children(recursive=True)
    for process in (parent, *below):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
