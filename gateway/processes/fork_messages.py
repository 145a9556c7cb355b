"""Defines what a supervisor and its fork server tell each other, each in one packet."""

from typing import Final

import msgspec
from msgspec import Struct

__all__ = [
    "LONGEST_BYTES",
    "NOT_STARTED",
    "ORDERS",
    "REPORTS",
    "Ended",
    "Order",
    "Report",
    "Signal",
    "Start",
    "Started",
    "encoded",
]

LONGEST_BYTES: Final = 1 << 16
"""Of one packet: arguments and settings of a process are some kilobytes."""


class Start(Struct, frozen=True, tag=True):
    """Fork a process that runs a module as `python -m` does.

    `env` is added to the environment; the packet carries the descriptor that it writes to.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    env: dict[str, str]


class Signal(Struct, frozen=True, tag=True):
    """Send a signal to a process, SIGKILL to its session; none that has ended gets it."""

    pid: int
    number: int


NOT_STARTED: Final = -1
"""For a process id: the kernel refused."""


class Started(Struct, frozen=True, tag=True):
    """A process was forked, or was not; answers come in the order of the orders."""

    pid: int


class Ended(Struct, frozen=True, tag=True):
    """A process has ended, with an exit code or the negated number of a signal."""

    pid: int
    exit_code: int


Order = Start | Signal
Report = Started | Ended
ORDERS: Final = msgspec.json.Decoder(Order)
REPORTS: Final = msgspec.json.Decoder(Report)
encoded: Final = msgspec.json.encode
