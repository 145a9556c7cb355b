"""Sends what a partition is through with, until the server has taken it.

There is one loop for all of it: acknowledgements, what entries became, dead letters.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from consumers.runtime.gate import Gate
from consumers.runtime.outages import Outage
from gateway.background import owned
from gateway.backoff import Backoff
from gateway.ending import end
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["Outlet", "send_patiently"]

T = TypeVar("T")

_FEW: Final = 100
_BACKOFF: Final = Backoff(first_s=0.1, limit_s=2.0)


async def send_patiently(
    send: Callable[[], Awaitable[bool]],
    *,
    gate: Gate,
    outage: Outage,
    gives_up: Callable[[], bool] = lambda: False,
    **about: Any,
) -> bool:
    """Call `send` until the server has answered; whether the partition still is this process's.

    What Redis refuses or does not answer is tried again, for as long as it takes, so `send` may be
    repeated; `about` is for the line that tells it. If the partition is another process's by now,
    the gate closes. If `gives_up` says so after a failure, that is raised.
    """
    failures = 0
    while True:
        try:
            is_ours = await send()
            break
        except AWAY_OR_REFUSING as error:
            failures += 1
            outage.failed(error, **about)
            if gives_up():
                raise
            await asyncio.sleep(_BACKOFF.delay_s(failures))
    outage.over()
    if not is_ours:
        gate.close()
    return is_ours


class Outlet(Generic[T]):
    """Sends what has gathered while the last call was under way, up to `most` at a time.

    After a call with few it rests for `rest_s`, so that more gathers where they come one by one.
    In order, and with patience: see `send_patiently`. An error that is not Redis's closes the gate,
    so that the partition ends instead of handling what it cannot be rid of; `check` raises it.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Awaitable[bool]],
        *,
        most: int,
        gate: Gate,
        outage: Outage,
        rest_s: float = 0.0,
    ) -> None:
        self._send = send
        self._rest_s = rest_s
        self._most = most
        self._gate = gate
        self._outage = outage
        self._waiting: deque[T] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._task = owned(self._run(), name="outlet")

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
                are_few = len(self._waiting) < _FEW
                if self._waiting and not await self._send_some():
                    break
                if self._rest_s and are_few and not self._closing:
                    await asyncio.sleep(self._rest_s)
        except BaseException:
            self._gate.close()
            raise

    async def _send_some(self) -> bool:
        """Send some until they are taken; False if the partition is another process's now."""
        some = list(islice(self._waiting, self._most))
        is_ours = await send_patiently(
            lambda: self._send(some),
            gate=self._gate,
            outage=self._outage,
            entries=len(self._waiting),
        )
        if not is_ours:
            return False
        if len(some) == len(self._waiting):
            self._waiting.clear()
            return True
        for _ in some:
            self._waiting.popleft()
        self._changed.set()
        return True
