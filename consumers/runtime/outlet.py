"""The way out of a partition: what gathers is sent in order, until the server has taken it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

from consumers.runtime.gate import Gate
from consumers.runtime.outages import Outage
from gateway.background import owned
from gateway.backoff import Backoff
from gateway.ending import end
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["Sending"]

T = TypeVar("T")

_BACKOFF: Final = Backoff(first_s=0.1, limit_s=2.0)


class Sending(Generic[T]):
    """Sends what has gathered while the last call was under way, up to `most` at a time.

    `send` says whether the partition is still ours, and may be repeated: what Redis refuses or does
    not answer is tried again, for as long as it takes. Any other error closes the gate, so that the
    partition ends instead of handling what it cannot be rid of; `check` raises it.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Awaitable[bool]],
        *,
        most: int,
        gate: Gate,
        outage: Outage,
    ) -> None:
        self._send = send
        self._most = most
        self._gate = gate
        self._outage = outage
        self._waiting: deque[T] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._task = owned(self._run(), name="sending")

    def put(self, some: Iterable[T]) -> None:
        """Send these, behind those that were given before."""
        self._waiting.extend(some)
        self._changed.set()

    async def close(self, timeout_s: float) -> int:
        """Send what is left, if the server takes it in time; how many are left after all."""
        self._closing = True
        self._changed.set()
        await asyncio.wait((self._task,), timeout=timeout_s)
        await end(self._task)
        self._outage.forget()
        return len(self._waiting)

    def check(self) -> None:
        """Raise what ended this, if it was an error that nobody had foreseen."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        try:
            while not (self._closing and not self._waiting):
                await self._changed.wait()
                self._changed.clear()
                if self._waiting and not await self._sent():
                    break
        except BaseException:
            self._gate.close()
            raise

    async def _sent(self) -> bool:
        """Send some until they are taken; False if the partition is another process's now."""
        some = list(islice(self._waiting, self._most))
        failures = 0
        while True:
            try:
                is_ours = await self._send(some)
                break
            except AWAY_OR_REFUSING as error:
                failures += 1
                self._outage.failed(error, entries=len(self._waiting))
                await asyncio.sleep(_BACKOFF.delay_s(failures))
        self._outage.over()
        if not is_ours:
            self._gate.close()
            return False
        for _ in some:
            self._waiting.popleft()
        if self._waiting:
            self._changed.set()
        return True
