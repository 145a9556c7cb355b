"""Sends deliveries at a steady rate, and remembers what each of them was answered.

Each sender is a portal's user who keeps updating one comment: the next request goes out when the
last one was answered, or was not. A request is known by its comment and its `ts`, which no other
request of the load has. Plain sockets, so that "no answer" is exactly that.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from gateway.background import owned
from gateway.drill.waiting import until
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX

__all__ = ["FIRST_TS", "DeliveryLoad", "LoadDelivery", "read_answer", "request_of"]

FIRST_TS: Final = 1_766_000_000
_ANSWER_S: Final = 20.0
_REPEAT_S: Final = 0.1  # a sender whose connection was refused tries again so often


@dataclass(slots=True)
class LoadDelivery:
    """One request: when it went out (monotonic seconds), and its answer, if there was one.

    `over_at` is when it was answered, or known not to be any more.
    """

    comment_id: int
    ts: int
    sent_at: float
    status: int | None = None
    event_id: str = ""
    stored: str = ""
    answered_at: float = 0.0
    port: int = 0
    over_at: float = 0.0

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver said that it is stored."""
        return self.status == 200


def request_of(comment_id: int, ts: int) -> bytes:
    """The bytes of a request."""
    body = body_of("comment.updated", portal=SANDBOX, ts=ts, subject_id=comment_id)
    head = (
        "POST /bitrix24/events HTTP/1.1\r\nHost: gateway.example\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class DeliveryLoad:
    """`rate` requests a second from `senders`, spread over the receivers on `ports`.

    Runs while it is entered. `deliveries` has every request whose bytes may have gone out, in the
    order of sending; `refused_connections` counts what did not get so far. Who has no answer after
    `answer_s` connects anew.
    """

    def __init__(
        self,
        ports: Sequence[int],
        *,
        rate: float,
        senders: int = 24,
        answer_s: float = _ANSWER_S,
    ) -> None:
        self.deliveries: list[LoadDelivery] = []
        self.refused_connections = 0
        self._ports = ports
        self._answer_s = answer_s
        self._period_s = senders / rate
        self._senders = senders
        self._numbers = itertools.count()
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [owned(self._send_until_stopped(number)) for number in range(self._senders)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_stopping = True
        await asyncio.gather(*self._tasks)

    async def until_answered_from(self, place: str, *, timeout_s: float) -> None:
        """Wait until a request that is sent from now on is answered 200 from `place`.

        Raises NotInTime, as the others do that wait.
        """
        first = len(self.deliveries)
        await until(
            lambda: any(delivery.stored == place for delivery in self.deliveries[first:]),
            timeout_s=timeout_s,
            what=f"a request is answered 200 from the {place}",
        )

    async def until_refused(self, *, timeout_s: float) -> None:
        """Wait until a request that is sent from now on is answered 503."""
        first = len(self.deliveries)
        await until(
            lambda: any(delivery.status == 503 for delivery in self.deliveries[first:]),
            timeout_s=timeout_s,
            what="a request is answered 503",
        )

    async def until_everybody_was_answered(self, *, timeout_s: float = 40) -> None:
        """Wait until each sender has a connection on which it has been answered."""
        await until(
            lambda: (
                len({one.comment_id for one in self.deliveries if one.is_accepted}) == self._senders
            ),
            timeout_s=timeout_s,
            what=f"each of {self._senders} senders is answered 200",
        )

    async def _send_until_stopped(self, number: int) -> None:
        port = self._ports[number % len(self._ports)]
        comment_id = 1000 + number
        await asyncio.sleep(self._period_s * number / self._senders)
        while not self._is_stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.refused_connections += 1
                await asyncio.sleep(_REPEAT_S)
                continue
            try:
                await self._use(reader, writer, comment_id, port)
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(_REPEAT_S)
            finally:
                writer.transport.abort()

    async def _use(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        comment_id: int,
        port: int,
    ) -> None:
        while not self._is_stopping:
            started = time.monotonic()
            delivery = LoadDelivery(comment_id, FIRST_TS + next(self._numbers), started, port=port)
            self.deliveries.append(delivery)
            writer.write(request_of(comment_id, delivery.ts))
            try:
                async with asyncio.timeout(self._answer_s):
                    is_last = await read_answer(reader, delivery)
            finally:
                delivery.over_at = time.monotonic()
            await asyncio.sleep(max(0.0, started + self._period_s - time.monotonic()))
            if is_last:
                return


async def read_answer(reader: asyncio.StreamReader, delivery: LoadDelivery) -> bool:
    """Returns True if the receiver said that it closes the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    await reader.readexactly(int(headers.get("content-length", 0)))
    delivery.answered_at = time.monotonic()
    delivery.event_id = headers.get("x-event-id", "")
    delivery.stored = headers.get("x-event-stored", "")
    delivery.status = int(status.split(" ", 2)[1])
    return headers.get("connection") == "close"
