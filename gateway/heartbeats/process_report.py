"""Describes what a process says of itself in its heartbeats.

    b24:processes   hash: an instance's id -> JSON of ProcessReport; gone a day after the last one

`at` and `started_at` are by the clock of Redis, which the script puts in, so that what machines
say can be compared.
"""

import os
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal, TypeAlias
from uuid import uuid4

import msgspec
from msgspec import Struct

__all__ = [
    "BEAT_S",
    "SILENT_S",
    "ProcessReport",
    "Role",
    "SpoolState",
    "encoded",
    "instance_id",
    "processes_key",
    "reports_in",
]

BEAT_S: Final = 5.0
"""How often a process says that it lives."""
SILENT_S: Final = 15.0
"""A process that has said nothing for so long is called silent: three beats are not heard."""
_MOST_CHARACTERS: Final = 500
# Of a reason, which is for a line on a screen.

Role: TypeAlias = Literal["receiver", "reconcile", "consumer", "feed"]


class SpoolState(Struct, frozen=True, kw_only=True):
    """How a receiver's spool is. `id` is the same for all processes that share it.

    `oldest_ms` is when the oldest event was put there, in Unix ms by the receiver's clock; 0 for an
    empty spool. `set_aside` counts files whose events are not published.
    """

    id: str
    directory: str
    events: int
    bytes: int
    max_bytes: int
    oldest_ms: int
    set_aside: int = 0


class ProcessReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process is, and how. `at` is when it said so, in Unix ms; so is `started_at`.

    `group` and `stream` are a consumer's, `partitions` those that it owns; `worker` is the name of
    one of several processes of a receiver, which all write their own, `spool` is a receiver's.
    `admin` is where its health and metrics are, as `host:port`; for a worker those of the receiver.
    `answers` are how many batches a receiver has stored since it began, by how long that took: up
    to each bound of gateway.store_times.STORE_BOUNDS_S, and longer.
    `layouts` is how many numbers of partitions it knows that there were, 0 of a version that
    follows none. `leads` is whether a process of `gateway reconcile` is the one that works.
    `why_not` has the reason of a process that is not ready.
    """

    role: str
    host: str
    pid: int
    version: str
    is_ready: bool
    at: int = 0
    started_at: int = 0
    admin: str | None = None
    group: str | None = None
    stream: str | None = None
    worker: str | None = None
    why_not: str | None = None
    spool: SpoolState | None = None
    answers: tuple[int, ...] = ()
    partitions: tuple[int, ...] = ()
    layouts: int = 0
    leads: bool = False

    @classmethod
    def of_this_process(cls, role: Role, *, why_not: str | None, **more: Any) -> "ProcessReport":
        """A report of the process that calls this; `more` are fields that not every role has."""
        return cls(
            role=role,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_installed_version(),
            is_ready=why_not is None,
            why_not=why_not and why_not[:_MOST_CHARACTERS],
            **more,
        )


def instance_id() -> str:
    """A name for this process that no other has, now or later: `host:pid:random`."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def processes_key(prefix: str) -> str:
    """The key of the hash."""
    return f"{prefix}:processes"


def encoded(report: ProcessReport) -> bytes:
    """JSON without the two times, which the script puts in."""
    return msgspec.json.encode(msgspec.structs.replace(report, at=0, started_at=0))


def reports_in(values: dict[bytes, bytes]) -> Iterator[tuple[str, ProcessReport]]:
    """Each instance's id with its report; what another version wrote and this one cannot read is
    left out.
    """
    for name, value in values.items():
        try:
            yield name.decode(), msgspec.json.decode(value, type=ProcessReport)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _installed_version() -> str:
    try:
        return version("bitrix24-event-gateway")
    except PackageNotFoundError:  # run from files that nobody installed
        return "unknown"
