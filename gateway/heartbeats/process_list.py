"""Lists the processes that run or ran, by their heartbeats. Only reads."""

from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.heartbeats.process_report import SILENT_S, ProcessReport, processes_key, reports_in
from gateway.redis_access import lua

__all__ = ["ListedProcess", "processes", "without_followed"]

_DAY_S: Final = 24 * 3600
_SOURCE: Final = lua.source("gateway.heartbeats", "read_processes.lua")


class ListedProcess(Struct, frozen=True, kw_only=True):
    """A process and how long ago it was heard, in seconds by the clock of Redis."""

    id: str
    heard_s: float
    report: ProcessReport

    @property
    def is_silent(self) -> bool:
        """Whether it was killed, or hangs, or does not reach Redis."""
        return self.heard_s > SILENT_S


async def processes(client: Redis, *, prefix: str) -> list[ListedProcess]:
    """All that were heard within a day and did not end in order, by role, group and host.

    Raises one of connections.FAILURES.
    """
    asked: Any = client.eval_ro(_SOURCE, 1, processes_key(prefix))
    now_ms, row = await asked
    values = dict(zip(row[::2], row[1::2], strict=True))
    found = [
        ListedProcess(id=name, heard_s=max(0.0, (int(now_ms) - report.at) / 1000), report=report)
        for name, report in reports_in(values)
    ]
    listed = [one for one in found if one.heard_s < _DAY_S]
    return sorted(listed, key=_order)


def without_followed(found: list[ListedProcess]) -> list[ListedProcess]:
    """Without silent ones in whose place others have come: such of the same role and group, on
    whichever machine, that began after those had been heard last. Pure.
    """
    began: dict[tuple[str, str | None], int] = {}
    for one in found:
        kind = (one.report.role, one.report.group)
        if not one.is_silent:
            began[kind] = max(began.get(kind, 0), one.report.started_at)
    return [
        one
        for one in found
        if not one.is_silent or began.get((one.report.role, one.report.group), 0) < one.report.at
    ]


def _order(one: ListedProcess) -> tuple[str, ...]:
    report = one.report
    return (
        "" if report.role == "receiver" else report.role,
        report.group or "",
        report.host,
        one.id,
    )
