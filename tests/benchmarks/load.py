"""A load of deliveries over keep-alive connections, and the CPU time of a process tree."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["Load", "cpu_seconds", "request_bytes"]


def request_bytes(body: bytes, port: int) -> bytes:
    """A delivery as it goes over the wire."""
    return (
        b"POST /bitrix24/events HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"User-Agent: Bitrix24 Webhook Engine\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n\r\n" % (port, len(body))
    ) + body


class _Connection(asyncio.Protocol):
    """Sends one request after the other, each when the one before is answered."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._load.in_flight += 1
        self._transport.write(self._load.next_request())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._received = b""
        self._load.in_flight -= 1
        self._load.answered(head[9:12], time.perf_counter() - self._sent_at)
        if self._load.is_closed_loop:
            self.send()
        else:
            self._load.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.broken += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """`connections` clients of a port, each with one request under way at most."""

    def __init__(self, port: int, bodies: Iterator[bytes], *, connections: int = 64) -> None:
        self._port = port
        self._bodies = bodies
        self._count = connections
        self._connections: list[_Connection] = []
        self.idle: list[_Connection] = []
        self.in_flight = 0
        self.broken = 0
        self.is_closed_loop = False
        self.statuses: dict[str, int] = {}
        self.seconds: list[float] = []

    def next_request(self) -> bytes:
        return request_bytes(next(self._bodies), self._port)

    def answered(self, status: bytes, seconds: float) -> None:
        self.statuses[status.decode()] = self.statuses.get(status.decode(), 0) + 1
        self.seconds.append(seconds)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
            self._connections.append(connection)
            self.idle.append(connection)

    async def as_fast_as_it_goes(self, seconds: float) -> int:
        """Keep every connection busy for a while; returns how many requests were answered."""
        before = len(self.seconds)
        self.is_closed_loop = True
        while self.idle:
            self.idle.pop().send()
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
                    self.idle.pop(0).send()
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


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants so far, in seconds.

    From the scheduler's statistics in nanoseconds, since /proc/<pid>/stat counts in ticks of 10 ms:
    https://docs.kernel.org/scheduler/sched-stats.html
    """
    parent = psutil.Process(pid)
    total = 0
    for process in (parent, *parent.children(recursive=True)):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
