"""Decides what of an installation is not well, and what an operator does next. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from gateway.balance.sheet import Balance
from gateway.contract import PortalData, Trouble
from gateway.drill_record import DrillRecord
from gateway.heartbeats.process_list import ListedProcess
from gateway.ops.group_interventions import command_to_resume
from gateway.ops.partition_standing import PartitionStanding
from gateway.ops.text_tables import span
from gateway.status.group_summary import GroupSummary
from gateway.status.installation_status import InstallationStatus
from gateway.status.machine_spool import SpoolStanding
from gateway.status.quantities import counted
from gateway.status.server_standing import ServerStanding
from gateway.webhooks.push_endpoints import endpoint_of

__all__ = ["LATE_S", "StatusFault", "faults_of", "name_of"]

LATE_S: Final = 60.0
"""A group is late whose oldest entry is older: more than any attempt or batch of ours takes."""
_SPOOLED_S: Final = 10.0
# A blip of Redis is over by then.
_NEARLY_FULL: Final = 0.8
_OURS: Final = ("audit", "enricher", "notifier", "warehouse")
_MOST_PORTALS: Final = 5
_TROUBLES: Final[dict[Trouble, str]] = {
    "silent": "is silent",
    "unbound": "has lost event handlers",
    "token_expiring": "needs a new refresh token",
    "unauthorized": "refuses the gateway",
}


class StatusFault(Struct, frozen=True):
    """What is not well, in words, and the command that goes on from there."""

    what: str
    remedy: str


def faults_of(status: InstallationStatus, *, memory_share: float) -> list[StatusFault]:
    """What is not well, what others follow from first; nothing if all is.

    `memory_share` is from which share of Redis's memory on receivers spool ([retention]
    max_memory_share).
    """
    if status.redis_why_not is not None:
        return [
            StatusFault(
                f"{status.redis} {status.redis_why_not}",
                "see that it runs, and [redis] url; events wait in the receivers' spools meanwhile",
            ),
            *_of_probes(status),
            *_of_spools(status),
        ]
    return [
        *(fault for one in status.servers or () for fault in _of_server(one, memory_share)),
        *(
            StatusFault(f"{name} cannot be told: Redis {why}", "gateway doctor")
            for name, why in status.unknown.items()
        ),
        *_of_processes(status.processes),
        *_of_partitions(status.partitions),
        *_of_spools(status),
        *(fault for one in status.groups or () for fault in _of_group(one)),
        *_of_balance(status.balance),
        *_of_portals(status.portals or []),
        *_of_drill(status.drill),
    ]


def _of_drill(record: DrillRecord | None) -> Iterator[StatusFault]:
    for one in record.outcomes if record is not None else ():
        for wrong in one.wrong:
            yield StatusFault(f"in the last drill, {one.fault}: {wrong}", "gateway drill")


def _of_balance(balance: Balance | None) -> Iterator[StatusFault]:
    for one in balance.missing if balance is not None else ():
        if one.open:
            yield StatusFault(
                f"{counted(one.open, 'event')} of {one.where} are nowhere", "gateway balance"
            )


def _of_probes(status: InstallationStatus) -> Iterator[StatusFault]:
    for one in status.probes:
        if not one.answers:
            yield StatusFault(
                f"no {one.name} answers at {one.address}", "see that it runs, and its log"
            )
        elif one.why_not is not None:
            yield StatusFault(
                f"{one.name} at {one.address} is not ready: {' '.join(one.why_not.split())}",
                "read its log",
            )


def _of_server(one: ServerStanding, memory_share: float) -> Iterator[StatusFault]:
    name = f"Redis {one.name}" if one.name else "Redis"
    for failed in one.failed:
        yield StatusFault(f"{name}: {failed}", "gateway doctor")
    if one.share >= memory_share:
        yield StatusFault(
            f"{name} has used {one.share:.0%} of its memory, so events go to the spools",
            "gateway groups, for who holds the streams; or give it more (docs/retention.md)",
        )
    if one.policy not in {"noeviction", "unknown"}:
        yield StatusFault(
            f"{name} may throw streams away when its memory is full ({one.policy})",
            "CONFIG SET maxmemory-policy noeviction",
        )


def _of_processes(found: list[ListedProcess] | None) -> Iterator[StatusFault]:
    if found is None:
        return
    living = [one.report for one in found if not one.is_silent]
    if not any(one.role == "receiver" for one in living):
        yield StatusFault("no receiver runs: nobody takes what portals send", "gateway serve")
    if not any(one.role == "reconcile" for one in living):
        yield StatusFault(
            "nobody looks after the portals, nor for missed events", "gateway reconcile"
        )
    for one in found:
        if one.is_silent:
            yield StatusFault(
                f"{name_of(one)} has said nothing for {span(one.heard_s)}",
                f"look whether process {one.report.pid} runs on {one.report.host}, and at its log",
            )
        elif not one.report.is_ready:
            yield StatusFault(
                f"{name_of(one)} is not ready: {' '.join((one.report.why_not or '?').split())}",
                f"read the log of process {one.report.pid} on {one.report.host}",
            )


def _of_partitions(one: PartitionStanding | None) -> Iterator[StatusFault]:
    if one is not None and one.why_not is not None:
        yield StatusFault(f"{one.why_not}, {span(one.since_s)} ago", one.remedy)


def _of_spools(status: InstallationStatus) -> Iterator[StatusFault]:
    for one in status.spools:
        yield from _of_spool(one)


def _of_spool(one: SpoolStanding) -> Iterator[StatusFault]:
    state, where = one.state, f"the spool of {one.host} ({one.state.directory})"
    if one.why_not is not None:
        yield StatusFault(f"{where} cannot be read: {one.why_not}", "gateway spool status")
        return
    if one.oldest_s > _SPOOLED_S:
        yield StatusFault(
            f"{counted(state.events, 'event')} in {where}, the oldest for {span(one.oldest_s)}",
            "gateway spool status there; they are published once Redis takes them",
        )
    if state.bytes > _NEARLY_FULL * state.max_bytes:
        yield StatusFault(
            f"{where} is {state.bytes / state.max_bytes:.0%} full; then deliveries are refused",
            "mend Redis, or raise [spool] max_bytes",
        )
    if state.set_aside:
        yield StatusFault(
            f"{counted(state.set_aside, 'file')} of {where} set aside, with events in them",
            "gateway spool status, gateway spool recover",
        )


def _of_group(one: GroupSummary) -> Iterator[StatusFault]:
    start = f"consumers run {one.group}" if one.group in _OURS else "start a process of it"
    if endpoint_of(one.group) is not None:
        start = f"consumers run relay; without its endpoint, gateway groups remove {one.group}"
    if len(one.unowned) == one.partitions:
        yield StatusFault(f"nobody works for group {one.group}{_behind(one)}", start)
        return
    if one.unowned:
        missing = ", ".join(map(str, one.unowned))
        yield StatusFault(f"nobody holds partition {missing} of group {one.group}", start)
    if one.waits_for_former and one.oldest_s > LATE_S:
        yield StatusFault(
            f"group {one.group} has not begun with the new partitions: it has still to handle what "
            f"is on former ones{_behind(one)}",
            f"gateway pending --group {one.group}",
        )
    for pause in one.pauses:
        yield StatusFault(
            f"group {one.group} is paused: {pause}", command_to_resume(one.group, pause)
        )
    if one.oldest_s > LATE_S and one.trend is not None and not one.is_paused:
        if one.trend.handled_per_s <= 0:
            yield StatusFault(
                f"group {one.group} stands still{_behind(one)}",
                f"gateway pending --group {one.group}",
            )
        elif one.trend.unhandled_per_s > 0:
            yield StatusFault(
                f"group {one.group} falls behind, by {one.trend.unhandled_per_s:,.1f} a second"
                f"{_behind(one)}",
                "start more processes of it, if it has partitions for them (docs/consumers.md)",
            )
    if one.dead_letters:
        yield StatusFault(
            f"{counted(one.dead_letters, 'dead letter')} of group {one.group}",
            f"gateway dead list --group {one.group}",
        )


def _behind(one: GroupSummary) -> str:
    if not one.unhandled:
        return ""
    return f": {one.waiting:,} wait, {one.in_hand:,} in hand, the oldest {span(one.oldest_s)} old"


def _of_portals(found: list[PortalData]) -> Iterator[StatusFault]:
    for one in found[:_MOST_PORTALS]:
        why = f" ({one.reason})" if one.reason else ""
        yield StatusFault(
            f"portal {one.domain} {_TROUBLES[one.trouble]}, since {one.since}{why}",
            f"gateway portals check --portal {one.member_id}",
        )
    if len(found) > _MOST_PORTALS:
        yield StatusFault(
            f"{len(found) - _MOST_PORTALS} more troubles of portals", "gateway portals check"
        )


def name_of(one: ListedProcess) -> str:
    """A process in words: what it is, where, and which."""
    report = one.report
    what = " ".join(filter(None, (report.role, report.worker, report.group)))
    return f"{what} on {report.host} (process {report.pid})"
