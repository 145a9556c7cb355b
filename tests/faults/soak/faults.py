"""What is done to the world, one thing at a time, and undone again."""

import asyncio
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
from tests.faults.soak.node_faults import NodeFaults
from tests.faults.soak.process_faults import ProcessFaults
from tests.faults.soak.world import GROUP, STREAMS, World
from tests.support.cluster_pairs import NotWhole
from tests.support.slot_moves import NotAtomic, holder_of, move_slot, move_slot_at_once, slot_of

__all__ = ["Faults"]

_HOURS_AHEAD: Final = 3
_HOSTILE: Final = (
    {"event": b"no event"},
    {"event": b"\xff\xfe"},
    {"event": b'{"specversion":"1.0"}'},
    {"another": b"field"},
)


class Faults:
    """Chooses and carries out faults; `counts` says how many of each.

    To a cluster with replicas happens what happens to its nodes and to processes; to one without,
    whose data is on no other node, everything else. `broke_off` is the traceback of one that
    could not be carried out, after which nothing can be said about the next ones; what happened
    before is still worth its sums. `put_off` says of which ones the cluster was not fit.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._random = chance
        self.processes = ProcessFaults(world, chance)
        self.nodes = NodeFaults(world, chance, self.processes)
        self.counts: Counter[str] = Counter()
        self.hostile_count = 0
        self.gone_count = 0
        self.broke_off = ""
        self.put_off: list[str] = []
        self._all = dict(self.processes.all)
        if world.has_replicas:
            self._all |= self.nodes.all
        else:
            self._all |= self.processes.of_logs | self._of_one_place()

    def _of_one_place(self) -> dict[str, Callable[[], Awaitable[None]]]:
        found: dict[str, Callable[[], Awaitable[None]]] = {
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
        }
        if self._world.clock is None:
            del found["clock ahead"]
        return found

    def pause_s(self) -> float:
        """How long nothing is done before the next one."""
        return self._random.uniform(1, 4)

    async def one(self) -> None:
        """Something, chosen at random; returns when it is over."""
        self.processes.start_ended()
        name = self._random.choice(list(self._all))
        self.counts[name] += 1
        await self._carry_out(name, self._all[name])

    async def _carry_out(self, name: str, fault: Callable[[], Awaitable[None]]) -> None:
        try:
            await fault()
        except NotWhole as reason:
            self.counts[name] -= 1
            self.put_off.append(f"{name}: {reason}")
        except Exception:  # noqa: BLE001 - told with the sums
            self.broke_off = f"{name}: {traceback.format_exc()}"

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
