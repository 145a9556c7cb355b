"""Sends from the portal's queue to a handler: each request once, and a slow handler ever less
often.

https://apidocs.bitrix24.com/api-reference/events/index.html: whatever the answer is, or if there is
none, nothing is sent again; and a handler that takes its time waits longer for the next request.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import aiohttp
from msgspec import Struct

from gateway.background import Background
from gateway.sandbox.delivery_request import DeliverySender, NoAnswer

__all__ = ["DeliveryPace", "DeliveryQueue", "SentDelivery"]


class DeliveryPace(Struct, frozen=True, kw_only=True):
    """How the queue treats a handler; no number is documented, and these are made up.

    `concurrency` is how many requests may be under way at once: with more than one they overtake
    one another, as nothing promises that they do not.
    """

    concurrency: int = 1
    timeout_s: float = 15.0
    slow_s: float = 1.0
    first_pause_s: float = 0.5
    max_pause_s: float = 8.0


class SentDelivery(Struct, frozen=True, kw_only=True):
    """A request that was sent, or lost on the way; without an answer, `status` is None."""

    event: str
    url: str
    body: bytes
    status: int | None = None
    answer: str = ""
    event_id: str = ""
    stored: str = ""
    error: str = ""
    took_s: float = 0.0


class DeliveryQueue:
    """Sends what is put, on a task per handler and place; to be closed by whoever made it.

    `told` is called with each delivery when it has an answer, or will have none.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        told: Callable[[SentDelivery], None],
        pace: DeliveryPace,
    ) -> None:
        self._session = session
        self._told = told
        self._pace = pace
        self._lanes: dict[str, _Lane] = {}
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._senders: list[Background] = []

    def put(self, event: str, url: str, body: bytes) -> None:
        """Send this, in its turn."""
        if url not in self._lanes:
            lane = self._lanes[url] = _Lane()
            for _ in range(self._pace.concurrency):
                work = partial(self._send_all, url, lane)
                sender = Background(work, name="sandbox deliveries", begins_anew=True)
                sender.start()
                self._senders.append(sender)
        lane = self._lanes[url]
        lane.waiting.append((event, body))
        lane.has_more.release()
        self._waiting += 1
        self._idle.clear()

    async def drained(self) -> None:
        """Wait until everything that was put has been sent, for better or worse."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop sending; what still waits is lost."""
        for sender in self._senders:
            await sender.close()

    async def _send_all(self, url: str, lane: "_Lane") -> None:
        sender = DeliverySender(self._session, url)
        while True:
            await lane.has_more.acquire()
            event, body = lane.waiting.popleft()
            try:
                delivery = await self._sent(sender, event, body)
                self._told(delivery)
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self._idle.set()
            lane.pause_s = _next_pause_s(self._pace, lane.pause_s, took_s=delivery.took_s)
            await asyncio.sleep(lane.pause_s)

    async def _sent(self, sender: DeliverySender, event: str, body: bytes) -> SentDelivery:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await sender.send(body)
        except NoAnswer as error:
            took_s = loop.time() - began
            return SentDelivery(
                event=event, url=sender.url, body=body, error=str(error), took_s=took_s
            )
        return SentDelivery(
            event=event,
            url=sender.url,
            body=body,
            status=answer.status,
            answer=answer.body,
            event_id=answer.event_id,
            stored=answer.stored,
            took_s=loop.time() - began,
        )


class _Lane:
    """What waits for one handler."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.has_more = asyncio.Semaphore(0)
        self.pause_s = 0.0


def _next_pause_s(pace: DeliveryPace, pause_s: float, *, took_s: float) -> float:
    """How long to leave a handler alone: twice as long after each slow answer, else not at all."""
    if took_s < pace.slow_s:
        return 0.0
    return min(max(2 * pause_s, pace.first_pause_s), pace.max_pause_s)
