"""Makes all calls of a warehouse on one thread, one after the other: they block."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.row_loading import Warehouse

__all__ = ["CallThread", "WarehouseThread"]

_Result = TypeVar("_Result")
_Call = tuple["Future[Any]", Callable[[], Any]]


class CallThread:
    """Makes one call at a time on a thread of its own, in order.

    No process waits for it to end: a driver may wait for ever for a server that does not answer.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(
        self, function: Callable[..., _Result], *arguments: object, within_s: float | None = None
    ) -> _Result:
        """The result of a call, which cancelling does not stop once it has begun.

        Raises DestinationAway if it has not ended within `within_s` seconds. It may end yet, so let
        it be one that may be repeated; what is called next waits for it.
        """
        done: Future[_Result] = Future()
        self._calls.put((done, partial(function, *arguments)))
        try:
            async with asyncio.timeout(within_s) as deadline:
                return await asyncio.wrap_future(done)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DestinationAway(f"no answer within {within_s:g} s") from error

    def end(self) -> None:
        """Let the thread end after the calls that were made."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            done, function = call
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                done.set_exception(error)
            else:
                done.set_result(result)
            # Held until the next call, they would be in memory twice.
            del call, done, function


class WarehouseThread:
    """A warehouse on its thread."""

    def __init__(self, warehouse: Warehouse, thread: CallThread) -> None:
        self._warehouse = warehouse
        self._thread = thread

    async def call(
        self, method: Callable[..., _Result], *arguments: object, within_s: float | None = None
    ) -> _Result:
        """The result of `method(warehouse, *arguments)`, as of CallThread.call."""
        return await self._thread.call(method, self._warehouse, *arguments, within_s=within_s)
