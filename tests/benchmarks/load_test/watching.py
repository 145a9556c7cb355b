"""Watches an installation while it is loaded: its backlog, its processes' CPU time, its Redis."""

import socket
from typing import Any, Final

import psutil
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.heartbeats.process_list import processes
from gateway.ops.group_standings import standings
from gateway.redis_access.redis_url import RedisAddress
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.load_test.steps import RedisCost
from tests.benchmarks.load_test.verifying_service import GROUP

__all__ = ["SPOOL", "Use", "Watcher"]

SPOOL: Final = "spool"


class Use(Struct, frozen=True, kw_only=True):
    """What has been used so far: seconds of CPU by kind of process, and what Redis has used."""

    cpu_s: dict[str, float]
    redis: RedisCost | None

    def since(self, earlier: "Use") -> "Use":
        """What was used between two looks."""
        cpu_s = {name: self.cpu_s[name] - earlier.cpu_s.get(name, 0.0) for name in self.cpu_s}
        if self.redis is None or earlier.redis is None:
            return Use(cpu_s=cpu_s, redis=None)
        now, before = self.redis, earlier.redis
        differences = {
            name: getattr(now, name) - getattr(before, name) for name in RedisCost.__struct_fields__
        }
        return Use(cpu_s=cpu_s, redis=RedisCost(**differences))


class Watcher:
    """Looks at an installation. Only processes of this machine have a CPU time."""

    def __init__(self, redis: Redis, url: str, streams: Streams) -> None:
        self._redis: Any = redis
        self._streams = streams
        self._is_cluster = RedisAddress.of(url).kind == "cluster"
        self._pids: dict[str, list[int]] = {}

    async def find_processes(self) -> None:
        """Learn from their heartbeats which processes there are on this machine."""
        found: dict[str, list[int]] = {}
        for one in await processes(self._redis, prefix=self._streams.prefix):
            report = one.report
            is_here = report.host == socket.gethostname() and psutil.pid_exists(report.pid)
            if is_here and not one.is_silent:
                found.setdefault(report.group or report.role, []).append(report.pid)
        self._pids = found

    @property
    def processes(self) -> dict[str, int]:
        """How many of each there are here."""
        return {name: len(pids) for name, pids in self._pids.items()}

    async def backlog(self) -> dict[str, int]:
        """Entries that each group has not acknowledged, and events in spools."""
        found: dict[str, int] = {}
        for one in await standings(self._redis, self._streams):
            if one.group != GROUP:
                found[one.group] = found.get(one.group, 0) + one.lag + one.pending
        reports = await processes(self._redis, prefix=self._streams.prefix)
        spools = {
            one.report.spool.id: one.report.spool.events for one in reports if one.report.spool
        }
        return found | {SPOOL: sum(spools.values())}

    async def use(self) -> Use:
        """What has been used so far; of Redis, unless it is a cluster, by its own account.

        https://redis.io/docs/latest/commands/info/
        """
        cpu_s = {
            name: sum(_cpu_s(pid, with_children=name != "receiver") for pid in pids)
            for name, pids in self._pids.items()
        }
        if self._is_cluster:
            return Use(cpu_s=cpu_s, redis=None)
        about = await self._redis.info("everything")
        cpu_s["redis"] = about["used_cpu_user"] + about["used_cpu_sys"]
        cost = RedisCost(
            memory_bytes=about["used_memory"],
            in_bytes=about["total_net_input_bytes"],
            out_bytes=about["total_net_output_bytes"],
            commands=about["total_commands_processed"],
        )
        return Use(cpu_s=cpu_s, redis=cost)


def _cpu_s(pid: int, *, with_children: bool) -> float:
    """CPU time of a process; with those of its children that have ended, where these count."""
    try:
        process = psutil.Process(pid)
        if not with_children:
            return cpu_seconds(pid, is_alone=True)
        ended = process.cpu_times()
        return cpu_seconds(pid) + float(ended.children_user + ended.children_system)
    except (psutil.Error, OSError):
        return 0.0
