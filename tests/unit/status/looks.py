"""Makes what a look at an installation may have seen; unless said otherwise, all is well."""

from msgspec.structs import replace

from gateway.heartbeats.process_list import ListedProcess
from gateway.heartbeats.process_report import ProcessReport, SpoolState
from gateway.status.group_summary import GroupSummary, GroupTrend
from gateway.status.installation_status import InstallationStatus
from gateway.status.machine_spool import SpoolStanding
from gateway.status.server_standing import ServerStanding

__all__ = ["GROUP", "RECEIVER", "RECONCILE", "SERVER", "SPOOL", "consumer", "look", "process"]

SERVER = ServerStanding(
    name="",
    version="Valkey 9.1.2",
    used_bytes=2_000_000,
    max_bytes=1 << 30,
    share=0.002,
    policy="noeviction",
    has_append_only_file=True,
    failed=(),
)
GROUP = GroupSummary(
    group="audit",
    stream="events",
    partitions=4,
    waiting=0,
    in_hand=0,
    again=0,
    oldest_s=0.0,
    dead_letters=0,
    unowned=(),
    trend=GroupTrend(unhandled_per_s=0.0, handled_per_s=0.0),
)
SPOOL = SpoolStanding(
    host="a-host",
    told_s=0.0,
    oldest_s=0.0,
    state=SpoolState(
        id="1", directory="/var/spool", events=0, bytes=0, max_bytes=1000, oldest_ms=0
    ),
)


def process(role: str, *, heard_s: float = 1.0, **report: object) -> ListedProcess:
    """A process that is ready, unless `report` says something else."""
    whole = ProcessReport(role=role, host="a-host", pid=7, version="1", is_ready=True)
    return ListedProcess(id=role, heard_s=heard_s, report=replace(whole, **report))


def consumer(group: str = "audit", **more: object) -> ListedProcess:
    return process("consumer", group=group, **more)  # type: ignore[arg-type]


RECEIVER, RECONCILE = process("receiver"), process("reconcile", leads=True)


def look(**seen: object) -> InstallationStatus:
    """A look at which this was seen."""
    whole = InstallationStatus(
        at="2026-01-31T12:00:00Z",
        redis="Redis at 127.0.0.1:6379",
        servers=[SERVER],
        groups=[GROUP],
        processes=[RECEIVER, RECONCILE, consumer()],
        spools=[SPOOL],
        portals=[],
    )
    return replace(whole, **seen)
