"""What is done to processes of ours: killed, stopped, frozen, with logs that nobody takes."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Final

from tests.faults.soak.world import World
from tests.support.consumer_process import Worker
from tests.support.program import Program

__all__ = ["ProcessFaults"]

_STOP_S: Final = 45.0
"""A little more than twice the grace time of consumers."""


class ProcessFaults:
    """Hurts one of the world's processes at a time, and starts it again.

    `ended_count` counts those that ended by themselves, `bad_stops` those that did not end in
    order when they were told to.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._random = chance
        self.ended_count = 0
        self.bad_stops: list[str] = []
        self.killed = self._kill
        self.all: dict[str, Callable[[], Awaitable[None]]] = {
            "process killed": self._kill,
            "process stopped": self._stop,
            "process frozen": self._freeze,
        }
        self.of_logs: dict[str, Callable[[], Awaitable[None]]] = {
            "log reader dead": self._kill_log_reader,
            "log stalled": self._stall_log,
            "log disk full": self._fill_log_disk,
        }

    def start_ended(self) -> None:
        """Start again what has ended by itself, and say that it did."""
        for process in self._world.everybody:
            if process.exit_code is not None:
                self.ended_count += 1
                print(
                    f"{_name(process)} has ended by itself, {process.exit_code}: "
                    f"{process.log[-4000:]}"
                )
                process.launch()

    def _any(self) -> Program:
        return self._random.choice([*self._world.receivers, *self._world.workers])

    def _worker(self) -> Worker:
        return self._random.choice(self._world.workers)

    async def _kill(self) -> None:
        process = self._any()
        process.kill()
        process.launch()

    async def _stop(self) -> None:
        await self._restart(self._any())

    async def _restart(self, process: Program, *, log: int | None = None) -> None:
        try:
            code = await process.stop(timeout_s=_STOP_S)
        except AssertionError as error:
            self.bad_stops.append(f"{_name(process)} {error}")
        else:
            # -15: it was told to stop before it had begun to listen to that
            if code not in {0, -15}:
                self.bad_stops.append(f"{_name(process)}: {code}:\n{process.log[-2000:]}")
        process.launch(log=log)

    async def _freeze(self) -> None:
        process = self._any()
        process.freeze()
        await asyncio.sleep(self._random.uniform(1, 12))
        process.thaw()

    async def _kill_log_reader(self) -> None:
        if (reader := self._worker().reader) is not None:
            reader.die()

    async def _stall_log(self) -> None:
        if (reader := self._worker().reader) is not None:
            reader.pause()
            await asyncio.sleep(8)
            reader.resume()

    async def _fill_log_disk(self) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        await self._restart(self._worker(), log=full)
        os.close(full)


def _name(process: Program) -> str:
    return process.log_file.stem
