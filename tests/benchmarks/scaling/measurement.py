"""Describes what was measured of one installation at one rate; measures nothing."""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks.recorded_run import Machine
from tests.benchmarks.report.plan import ROOT

__all__ = [
    "DATA",
    "PAGE",
    "PICTURE",
    "Asking",
    "Idle",
    "Knee",
    "Measured",
    "Measurements",
    "Shape",
    "read_measurements",
    "written",
]


DATA: Final = ROOT / "docs" / "scaling.json"
PAGE: Final = ROOT / "docs" / "scaling.md"
PICTURE: Final = "scaling"
"""Of two files in docs/images, for light and for dark pages."""


class Shape(Struct, frozen=True, order=True):
    """How an installation is laid out: partitions; processes of the receiver, which are as many as
    those of audit log, enricher and notifier each.
    """

    partitions: int
    workers: int

    def __str__(self) -> str:
        return f"{self.partitions} × {self.workers}"


class Measured(Struct, frozen=True, kw_only=True):
    """One round. CPU times are of an event, in µs, of all processes of a kind together, from the
    first request until the last group was through, without what they take when idle.

    Redis's memory and network are in bytes of an event.
    """

    shape: Shape
    rate: float
    events: int
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    redis_memory: float
    redis_in: float
    redis_out: float
    redis_commands: float


class Idle(Struct, frozen=True, kw_only=True):
    """What the processes of a shape take when there is nothing to do, in cores."""

    shape: Shape
    cores: dict[str, float]


class Asking(Struct, frozen=True, kw_only=True):
    """What the enricher takes that asks portals: CPU time of an event in µs, and how many events
    went into a call.
    """

    portals: int
    rate: float
    events: int
    calls: int
    cpu_us: float

    @property
    def events_of_call(self) -> float:
        """Events for each call."""
        return self.events / self.calls


class Knee(Struct, frozen=True, kw_only=True):
    """What `make load` found with everything on one machine: events a second that were held, and at
    which a limit was passed, None if none was.
    """

    held: float
    bent: float | None
    ended: str
    accepted: int


class Measurements(Struct, frozen=True, kw_only=True):
    """All of it. `leader_cores` are those of `gateway reconcile` for each portal, `notice_us` is
    the CPU time of a notification: both of docs/performance.json when this was made.
    """

    machine: Machine
    commit: str
    began_at: datetime
    rounds: list[Measured] = []
    idle: list[Idle] = []
    asking: list[Asking] = []
    knee: Knee | None = None
    leader_cores: float
    notice_us: float


def read_measurements(file: Path) -> Measurements:
    """What a file holds."""
    return msgspec.json.decode(file.read_bytes(), type=Measurements)


def written(found: Measurements) -> bytes:
    """As it stands in a file."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
