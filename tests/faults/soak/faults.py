"""What is done to the world, one thing at a time, and undone again."""

import asyncio
import os
import random
import shutil
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from redis.exceptions import ResponseError

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.faults.soak.world import GROUP, STREAMS, World
from tests.support.consumer_process import Worker
from tests.support.slot_moves import NotAtomic, holder_of, move_slot, move_slot_at_once, slot_of

__all__ = ["Faults"]

_HOURS_AHEAD: Final = 3
_HOSTILE: Final = (
    {"event": b"no event"},
    {"event": b"\xff\xfe"},
    {"event": b'{"specversion":"1.0"}'},
    {"another": b"field"},
)

_STOP_S: Final = 45.0
"""A little more than twice the grace time of consumers."""


class Faults:
    """Chooses and carries out faults; `counts` says how many of each.

    `broke_off` is the traceback of one that could not be carried out, after which nothing can be
    said about the next ones; what happened before is still worth its sums.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._random = chance
        self.counts: Counter[str] = Counter()
        self.hostile_count = 0
        self.gone_count = 0
        self.ended_count = 0
        self.bad_stops: list[str] = []
        self.broke_off = ""
        self._all: dict[str, Callable[[], Awaitable[None]]] = {
            "process killed": self._kill,
            "process stopped": self._stop,
            "process frozen": self._freeze,
            "redis killed": self._kill_redis,
            "redis frozen": self._freeze_redis,
            "group deleted": self._delete_group,
            "slot moved": self._move_slot,
            "slot moved at once": self._move_slot_at_once,
            "misconf": self._fail_snapshots,
            "busy": self._keep_busy,
            "clock ahead": self._set_clock_ahead,
            "hostile entries": self._add_hostile,
            "unreadable comment": self._break_comment,
            "tables gone": self._take_tables_away,
            "log reader dead": self._kill_log_reader,
            "log stalled": self._stall_log,
            "log disk full": self._fill_log_disk,
        }
        if world.clock is None:
            del self._all["clock ahead"]

    def pause_s(self) -> float:
        """How long nothing is done before the next one."""
        return self._random.uniform(1, 4)

    async def one(self) -> None:
        """Something, chosen at random; returns when it is over."""
        for worker in self._world.everybody:
            if worker.exit_code is not None:
                self.ended_count += 1
                print(
                    f"{worker.name} has ended by itself, {worker.exit_code}: {worker.log[-4000:]}"
                )
                worker.launch()
        name = self._random.choice(list(self._all))
        self.counts[name] += 1
        try:
            await self._all[name]()
        except Exception:  # noqa: BLE001 - told with the sums
            self.broke_off = f"{name}: {traceback.format_exc()}"

    def _worker(self) -> Worker:
        return self._random.choice(self._world.workers)

    async def _kill(self) -> None:
        worker = self._worker()
        worker.kill()
        worker.launch()

    async def _stop(self) -> None:
        await self._restart(self._worker())

    async def _restart(self, worker: Worker, *, log: int | None = None) -> None:
        try:
            code = await worker.stop(timeout_s=_STOP_S)
        except AssertionError as error:
            self.bad_stops.append(f"{worker.name} {error}")
        else:
            # -15: it was told to stop before it had begun to listen to that
            if code not in {0, -15}:
                self.bad_stops.append(f"{worker.name}: {code}:\n{worker.log[-2000:]}")
        worker.launch(log=log)

    async def _freeze(self) -> None:
        worker = self._worker()
        worker.freeze()
        await asyncio.sleep(4)
        worker.thaw()

    async def _kill_redis(self) -> None:
        node = self._world.node_of(self._random)
        node.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(node.start)

    async def _freeze_redis(self) -> None:
        node = self._world.node_of(self._random)
        node.pause()
        await asyncio.sleep(4)
        node.resume()

    async def _delete_group(self) -> None:
        key = STREAMS.key("events", self._random.randrange(STREAMS.partitions))
        group = self._random.choice([GROUP, "audit"])
        with suppress(*connections.AWAY, ResponseError):
            async with connections.control(self._world.url) as redis:
                await redis.xgroup_destroy(key, group)

    async def _move_slot(self) -> None:
        slot, source, target = await self._slot()
        await move_slot(source, target, slot, open_s=3)

    async def _move_slot_at_once(self) -> None:
        slot, source, target = await self._slot()
        with suppress(NotAtomic):
            await move_slot_at_once(source, target, slot)

    async def _slot(self) -> tuple[int, RedisServer, RedisServer]:
        key = STREAMS.key("events", self._random.randrange(STREAMS.partitions))
        slot = await slot_of(self._world.nodes[0], key)
        source, target = await holder_of(self._world.nodes, slot)
        return slot, source, target

    async def _fail_snapshots(self) -> None:
        node = self._world.node_of(self._random)
        in_the_way = node.directory / "dump.rdb"
        if in_the_way.is_file():
            in_the_way.unlink()
        in_the_way.mkdir(exist_ok=True)
        async with _configured(node, "save", "1 1", ""):
            await asyncio.sleep(8)
        shutil.rmtree(in_the_way)

    async def _keep_busy(self) -> None:
        node = self._world.node_of(self._random)
        async with (
            _configured(node, "busy-reply-threshold", "100", "5000"),
            connections.control(node.url, timeout_s=20) as script,
            connections.control(node.url) as redis,
        ):
            running = asyncio.create_task(_run_for_ever(script))
            await asyncio.sleep(4)
            await redis.script_kill()
            await running

    async def _set_clock_ahead(self) -> None:
        assert self._world.clock is not None
        self._world.clock.set(_HOURS_AHEAD * 3600)
        await asyncio.sleep(8)
        self._world.clock.set(0)

    async def _add_hostile(self) -> None:
        async with connections.control(self._world.url) as redis:
            for fields in _HOSTILE:
                key = STREAMS.key("events", self._random.randrange(STREAMS.partitions))
                with suppress(*connections.AWAY, ResponseError):
                    await redis.xadd(key, fields)  # type: ignore[arg-type]
                    self.hostile_count += 1

    async def _break_comment(self) -> None:
        self._world.make_unreadable(self._random.choice(self._world.comment_ids))
        await asyncio.sleep(10)
        self._world.make_unreadable(None)

    async def _take_tables_away(self) -> None:
        """Moved aside, so that what was in them can be counted at the end."""
        exists = "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'bitrix24'"
        if await asyncio.to_thread(self._world.ask, exists):
            self.gone_count += 1
            statement = f'ALTER SCHEMA bitrix24 RENAME TO "gone_{self.gone_count}"'
            await asyncio.to_thread(self._world.execute, statement)

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


@asynccontextmanager
async def _configured(node: RedisServer, name: str, value: str, before: str) -> Any:
    async with connections.control(node.url) as redis:
        await redis.config_set(name, value)
        try:
            yield
        finally:
            await redis.config_set(name, before)


async def _run_for_ever(redis: Any) -> None:
    with suppress(ResponseError):
        await redis.eval("while true do end", 0)
