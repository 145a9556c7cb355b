"""A load that does not wait for answers: so many requests a second, whatever becomes of them.

It is bounded by its subjects: who has not been answered about a comment sends nothing more about
it, so that the order of a comment's requests is certain, and no more requests than comments are
under way.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from gateway.drill.delivery_load import FIRST_TS, LoadDelivery, read_answer, request_of

__all__ = ["OpenLoad"]

_ANSWER_S: Final = 20.0
_TICK_S: Final = 0.005

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class OpenLoad:
    """`rate` requests a second about these comments, those of one always to the same receiver.

    Runs while it is entered; on leaving it waits for what is under way. `deliveries` has every
    request whose bytes may have gone out, in the order of sending; `refused_connections` counts
    what did not get so far, `held_back` what was due while all comments waited for an answer.
    """

    def __init__(self, ports: Sequence[int], comment_ids: Sequence[int], *, rate: float) -> None:
        self.deliveries: list[LoadDelivery] = []
        self.refused_connections = 0
        self.held_back = 0
        self._ports = ports
        self._free = deque(comment_ids)
        self._rate = rate
        self._numbers = itertools.count()
        self._idle: dict[int, list[_Connection]] = {port: [] for port in ports}
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._clock: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._clock = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_stopping = True
        if self._clock is not None:
            await self._clock
        await asyncio.gather(*self._under_way)
        for _reader, writer in itertools.chain.from_iterable(self._idle.values()):
            writer.transport.abort()

    async def _run(self) -> None:
        started, due = time.monotonic(), 0
        while not self._is_stopping:
            while due < (time.monotonic() - started) * self._rate:
                due += 1
                if not self._free:
                    self.held_back += 1
                    continue
                task = asyncio.create_task(self._send(self._free.popleft()))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(_TICK_S)

    async def _send(self, comment_id: int) -> None:
        port = self._ports[comment_id % len(self._ports)]
        try:
            reader, writer = await self._connection(port)
        except OSError:
            self.refused_connections += 1
        else:
            await self._ask(reader, writer, comment_id, port)
        self._free.append(comment_id)

    async def _connection(self, port: int) -> _Connection:
        while self._idle[port]:
            reader, writer = self._idle[port].pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection("127.0.0.1", port)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        comment_id: int,
        port: int,
    ) -> None:
        delivery = LoadDelivery(
            comment_id, FIRST_TS + next(self._numbers), time.monotonic(), port=port
        )
        self.deliveries.append(delivery)
        is_last = True
        try:
            writer.write(request_of(comment_id, delivery.ts))
            async with asyncio.timeout(_ANSWER_S):
                is_last = await read_answer(reader, delivery)
        except (OSError, EOFError, TimeoutError):
            pass  # that is no answer
        finally:
            if is_last:
                writer.transport.abort()
            else:
                self._idle[port].append((reader, writer))
