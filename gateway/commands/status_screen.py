"""Draws a status for a terminal, as wide as that is."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from gateway.contract import timestamps
from gateway.heartbeats.process_list import ListedProcess
from gateway.ops.text_tables import span, table
from gateway.status.admin_addresses import ProbedProcess
from gateway.status.group_summary import GroupSummary
from gateway.status.installation_status import InstallationStatus
from gateway.status.machine_spool import SpoolStanding
from gateway.status.quantities import counted, size
from gateway.status.status_rules import StatusFault
from gateway.terminal import printable

__all__ = ["Screen"]

_LEAST_WIDTH: Final = 60
_GROUPS: Final = (
    *("GROUP", "STREAM", "WAITING", "IN HAND", "TREND", "OLDEST", "AGAIN", "DEAD", "HELD"),
)
_PROCESSES: Final = ("PROCESS", "STATE", "UP", "HEARD", "PID", "HOST", "ADMIN")
_NUMBERS: Final = {
    *("WAITING", "IN HAND", "TREND", "OLDEST", "AGAIN", "DEAD", "UP", "HEARD", "EVENTS", "SIZE"),
    "FULL",
}
_SPOOLS: Final = ("SPOOL OF", "EVENTS", "SIZE", "FULL", "OLDEST", "DIRECTORY")


class Screen:
    """Makes the text of each look; remembers the last one with Redis for when that is away."""

    def __init__(self) -> None:
        self._last: InstallationStatus | None = None

    def text(
        self, status: InstallationStatus, faults: Sequence[StatusFault], *, width: int | None
    ) -> str:
        """The whole screen; no line is longer than the terminal is wide, if it is one."""
        columns = sys.maxsize if width is None else max(_LEAST_WIDTH, width)
        lines = [*_verdict(status, faults, columns), "", *_body(status)]
        if status.redis_why_not is None:
            self._last = status
        elif self._last is not None:
            lines += ["", f"as it was at {self._last.at}, when Redis was there:", ""]
            lines += _tables(self._last)
        return "\n".join(_cut(line, columns) for line in lines)


def _verdict(
    status: InstallationStatus, faults: Sequence[StatusFault], width: int
) -> Iterator[str]:
    if not faults:
        yield f"{click.style('all is well', fg='green', bold=True)}  {status.at}"
        return
    verdict = f"not well: {counted(len(faults), 'thing')}"
    yield f"{click.style(verdict, fg='red', bold=True)}  {status.at}"
    for fault in faults:
        yield from _wrapped("* ", fault.what, width)
        yield from _wrapped("  -> ", fault.remedy, width)


def _wrapped(mark: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_on_hyphens=False,
    )


def _body(status: InstallationStatus) -> Iterator[str]:
    yield from _redis(status)
    yield from _tables(status)
    if status.probes:
        yield ""
        yield from _table(("PROCESS", "STATE", "ADMIN"), map(_probe, status.probes))


def _redis(status: InstallationStatus) -> Iterator[str]:
    if status.redis_why_not is not None:
        yield f"{status.redis} is away, and with it what groups, processes and portals do"
        return
    yield status.redis
    for one in status.servers or ():
        memory = size(one.used_bytes) + (
            f" of {size(one.max_bytes)} ({one.share:.0%})" if one.max_bytes else ", without a limit"
        )
        disk = "append-only file" if one.has_append_only_file else "no append-only file"
        yield "  " + ", ".join(filter(None, (one.name, one.version, f"memory {memory}", disk)))


def _tables(status: InstallationStatus) -> Iterator[str]:
    if status.partitions is not None:
        one = status.partitions
        former = f", after {one.former} former ones" if one.former else ""
        yield f"  events are spread into {counted(one.count, 'partition')} ({one.numbers}){former}"
    if status.groups:
        yield ""
        yield from _table(_GROUPS, map(_group, status.groups))
    elif status.groups is not None:
        yield from ("", "no groups yet")
    if status.processes:
        yield ""
        yield from _table(_PROCESSES, map(_process, status.processes))
    if status.spools:
        yield ""
        yield from _table(_SPOOLS, map(_spool, status.spools))
    if status.balance is not None:
        door, missing = status.balance.door, status.balance.open
        closes = f"{missing:,} are nowhere" if missing else "all are accounted for"
        yield ""
        yield f"of {door.accepted:,} accepted events {closes} (gateway balance)"
    if status.drill is not None:
        at, went = timestamps.seconds(status.drill.at.timestamp()), status.drill.is_well
        yield f"the last drill, at {at}, {'went well' if went else 'did not go well'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return table(head, list(rows), right=_NUMBERS).splitlines()


def _probe(one: ProbedProcess) -> tuple[object, ...]:
    if not one.answers:
        return one.name, "does not answer", one.address
    state = {True: "ready", False: "not ready", None: "alive"}[one.is_ready]
    return one.name, state, one.address


def _group(one: GroupSummary) -> tuple[object, ...]:
    trend = None
    if one.trend is not None and one.unhandled:
        per_s = round(one.trend.unhandled_per_s)
        trend = f"{per_s:+,}/s" if per_s else "0/s"
    return (
        one.group,
        one.stream,
        f"{one.waiting:,}",
        f"{one.in_hand:,}",
        trend,
        span(one.oldest_s) if one.unhandled else None,
        one.again or None,
        one.dead_letters or None,
        f"{one.partitions - len(one.unowned)} of {one.partitions}"
        + (", paused" if one.is_paused else ", partly paused" if one.pauses else ""),
    )


def _process(one: ListedProcess) -> tuple[object, ...]:
    report = one.report
    return (
        " ".join(filter(None, (report.group or report.role, report.worker))),
        _state(one),
        span(_lasted_s(one)),
        span(one.heard_s),
        report.pid,
        report.host,
        report.admin,
    )


def _lasted_s(one: ListedProcess) -> float:
    """How long it has run; of a silent one, how long it had when it spoke last."""
    until_heard = (one.report.at - one.report.started_at) / 1000
    return until_heard if one.is_silent else until_heard + one.heard_s


def _state(one: ListedProcess) -> str:
    report = one.report
    if one.is_silent:
        return "silent"
    if not report.is_ready:
        return "not ready"
    if report.role == "reconcile":
        return "leads" if report.leads else "stands by"
    if report.role == "consumer":
        held = ",".join(map(str, report.partitions))
        return f"holds {held}" if held else "stands by"
    return "ready"


def _spool(one: SpoolStanding) -> tuple[object, ...]:
    state = one.state
    if one.why_not is not None:
        return (one.host, None, None, None, None, state.directory)
    return (
        one.host,
        f"{state.events:,}",
        size(state.bytes),
        f"{state.bytes / state.max_bytes:.0%}",
        span(one.oldest_s) if state.events else None,
        state.directory,
    )


def _cut(line: str, width: int) -> str:
    """The line, with an ellipsis where it is too long; colours do not count."""
    plain = click.unstyle(line)
    return line if len(plain) <= width else f"{plain[: width - 1]}…"
