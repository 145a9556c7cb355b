"""Describes what an operator wants of a group's processes until further notice: pauses and strikes.

Both are hashes of the group (`Streams.pauses`, `Streams.strikes`), a field for each selection of
events, in which the value is JSON. The operators' commands write them, the group's processes read
them every second or two, and remove a pause whose time is over, if it still is the one they knew.
They stay until somebody ends them, also while no process of the group runs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway.contract.event_selection import EventSelection

__all__ = ["STRUCK", "Pause", "Strike", "pauses_of", "strikes_of"]

STRUCK: Final = "struck"
"""The reason of a dead letter that an operator wanted."""


class Pause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Events of `selection` wait since `since`, until `until`; None: until somebody ends it.

    Both are RFC 3339, UTC. A selection of everything pauses the whole group.
    """

    selection: EventSelection
    since: str
    until: str | None = None

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        if self.until is not None and datetime.fromisoformat(self.until).tzinfo is None:
            raise ValueError("a time without a zone")

    @property
    def is_whole(self) -> bool:
        """Whether the whole group is paused."""
        return self.selection.is_everything

    def is_over(self, now: datetime) -> bool:
        """Whether its time is over, by the clock of whoever asks."""
        return self.until is not None and datetime.fromisoformat(self.until) <= now

    def __str__(self) -> str:
        """For people."""
        what = "the whole group" if self.is_whole else str(self.selection)
        return f"{what}, since {self.since}" + (f", until {self.until}" if self.until else "")


class Strike(Struct, frozen=True, kw_only=True):
    """Events of `selection` become dead letters, without a call of a handler, since `since`."""

    selection: EventSelection
    since: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.selection}, since {self.since}"


_Kind = TypeVar("_Kind", Pause, Strike)


def pauses_of(fields: Mapping[bytes, bytes]) -> dict[bytes, Pause]:
    """The pauses of a group's hash by field; what this version cannot read is left out."""
    return _read(fields, Pause)


def strikes_of(fields: Mapping[bytes, bytes]) -> dict[bytes, Strike]:
    """The strikes of a group's hash by field; what this version cannot read is left out."""
    return {
        field: strike
        for field, strike in _read(fields, Strike).items()
        if not strike.selection.is_everything
    }


def _read(fields: Mapping[bytes, bytes], kind: type[_Kind]) -> dict[bytes, _Kind]:
    found = {}
    for field, value in fields.items():
        try:
            found[field] = msgspec.json.decode(value, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found
