"""Sends deliveries at moments of a schedule that waits for no answer.

A request whose time has come while all connections are busy waits for one, and its latency counts
from when it was due: what a stalled server keeps from being sent is measured, too (there is no
coordinated omission). The same comment is never told twice at a time, so that the order in which
its updates were accepted is known.
"""

import asyncio
import random
import ssl
import time
from collections import deque
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from gateway.sandbox.portal import PortalIdentity
from tests.benchmarks.load import Connection, request_bytes
from tests.benchmarks.load_test.load_portal import COMMENT_COUNT, FIRST_COMMENT_ID, body_writer
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery

__all__ = ["OpenLoop", "arrivals"]

_AGAIN_S: Final = 0.2
_TICK_S: Final = 0.001
"""Event loops wake up by the millisecond; what is due within one goes out together."""


def arrivals(rate: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """The moments of a Poisson process, in seconds from its start: independent senders."""
    moment = chance.expovariate(rate)
    while moment < seconds:
        yield moment
        moment += chance.expovariate(rate)


class OpenLoop:
    """Clients of a URL. `deliveries` are in the order in which they were due; `lags_s` are how much
    later than due the loop itself got to each: above some milliseconds the generator is too slow.
    """

    def __init__(
        self, url: str, portal: PortalIdentity, *, connections: int = 128, answer_s: float = 10.0
    ) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path
        self._body = body_writer(portal)
        self._count = connections
        self._answer_s = answer_s
        self._began = int(time.time())
        self._comments = deque((one, 0) for one in range(COMMENT_COUNT))
        self._idle: list[Connection] = []
        self._waiting: deque[ScheduledDelivery] = deque()
        self._busy: dict[Connection, tuple[ScheduledDelivery, tuple[int, int]]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self.deliveries: list[ScheduledDelivery] = []
        self.lags_s: list[float] = []

    async def open(self) -> None:
        """Connect. Raises OSError if that cannot be."""
        for _ in range(self._count):
            await self._connect()

    async def send(self, moments: Iterator[float]) -> None:
        """Send one at each moment from now on, and wait for the answers for some seconds.

        Those without an answer by then keep `status` None; who is not sent has `sent_at` 0.
        """
        started = time.monotonic()
        for moment in moments:
            due_at = started + moment
            if (ahead_s := due_at - time.monotonic()) > 0:
                await asyncio.sleep(max(_TICK_S, ahead_s))
            self.lags_s.append(time.monotonic() - due_at)
            delivery = ScheduledDelivery(0, 0, 0.0, port=self._port, due_at=due_at)
            self.deliveries.append(delivery)
            self._waiting.append(delivery)
            self._work_off()
            if len(self.deliveries) % 64 == 0:
                await asyncio.sleep(0)  # answers are read also where the schedule is behind
        deadline = time.monotonic() + self._answer_s
        while (self._busy or self._waiting) and time.monotonic() < deadline:
            await asyncio.sleep(_TICK_S)
        self._waiting.clear()
        for connection in list(self._busy):
            connection.close()  # and another one takes its place

    async def close(self) -> None:
        """Close all connections."""
        self._is_closing = True
        for connection in (*self._idle, *self._busy):
            connection.close()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _work_off(self) -> None:
        while self._idle and self._waiting and self._comments:
            delivery, connection = self._waiting.popleft(), self._idle.pop()
            number, times = comment = self._comments.popleft()
            delivery.comment_id = FIRST_COMMENT_ID + number
            delivery.ts = self._began + times  # tells this update of the comment from all others
            self._busy[connection] = delivery, comment
            body = self._body(delivery.comment_id, delivery.ts)
            connection.send(request_bytes(body, self._port, host=self._host, path=self._path))
            delivery.sent_at = connection.sent_at

    def _answered(self, connection: Connection, head: bytes) -> None:
        if connection not in self._busy:
            return
        delivery, (number, times) = self._busy.pop(connection)
        delivery.answered_at = time.monotonic()
        delivery.status = int(head[9:12])
        head = head.lower()
        delivery.event_id = _header(head, b"\r\nx-event-id: ")
        delivery.stored = _header(head, b"\r\nx-event-stored: ")
        self._comments.append((number, times + 1))
        if b"\r\nconnection: close" in head:
            connection.close()
        else:
            self._idle.append(connection)
            self._work_off()

    def _lost(self, connection: Connection) -> None:
        self._busy.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._is_closing:
            task = asyncio.get_running_loop().create_task(self._connect_again())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect_again(self) -> None:
        while True:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _connect(self) -> None:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._answered, self._lost), self._host, self._port, ssl=self._tls
        )
        self._idle.append(connection)
        self._work_off()


def _header(head: bytes, name: bytes) -> str:
    _, found, rest = head.partition(name)
    return rest.partition(b"\r\n")[0].decode() if found else ""
