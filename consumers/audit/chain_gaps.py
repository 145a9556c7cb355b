"""Follows gaps while a chain is checked: what is missing, and what a replay brought back.

No I/O. A gap is closed when as many of its entries stand behind the record that tells of it as
were missing; one of which nobody knows how many were missing is closed by nothing.
"""

from collections.abc import Collection

import msgspec

from consumers.audit.findings import ChainFault
from consumers.audit.records import MissingRecord
from gateway.contract import EntryId

__all__ = ["Gaps"]


class _Entry(msgspec.Struct):
    entry: str


_decoder = msgspec.json.Decoder(_Entry)


class _Open:
    def __init__(self, record: MissingRecord, file: str, line: int) -> None:
        self.record = record
        self.file = file
        self.line = line
        self.found: set[str] = set()

    def holds(self, entry_id: str) -> bool:
        gap = self.record.gap
        return EntryId.of(gap.after) < EntryId.of(entry_id) <= EntryId.of(gap.until)

    @property
    def is_closed(self) -> bool:
        return self.record.gap.is_all and len(self.found) >= self.record.gap.count


class Gaps:
    """Follows the gaps of one chain. `known` are the numbers of records whose gaps are accepted."""

    def __init__(self, known: Collection[int] = ()) -> None:
        self._known = frozenset(known)
        self._open: list[_Open] = []

    def __bool__(self) -> bool:
        """Whether there is a gap that an event could belong to."""
        return bool(self._open)

    def open(self, record: MissingRecord, *, file: str, line: int) -> None:
        """A record at this place tells of a gap."""
        self._open.append(_Open(record, file, line))

    def see(self, line: bytes) -> None:
        """The line of an event, which may be one that was missing."""
        entry_id = _decoder.decode(line).entry
        for gap in self._open:
            if gap.holds(entry_id):
                gap.found.add(entry_id)

    @property
    def notes(self) -> list[str]:
        """What is to be said of gaps that are closed, or accepted."""
        return [
            f"{one.file}:{one.line}: {_extent(one)}"
            + ("; they were written again" if one.is_closed else ", which is known")
            for one in self._open
            if one.is_closed or one.record.seq in self._known
        ]

    def fault(self) -> ChainFault | None:
        """The first gap that is neither closed nor accepted."""
        for one in self._open:
            if not one.is_closed and one.record.seq not in self._known:
                return ChainFault(
                    what="lost",
                    file=one.file,
                    line=one.line,
                    seq=one.record.seq,
                    detail=f"{_extent(one)} (if that is known: --known-gap "
                    f"{one.record.chain}:{one.record.seq})",
                )
        return None


def _extent(one: _Open) -> str:
    gap = one.record.gap
    number = f"{gap.count}" if gap.is_all else "an unknown number of"
    if gap.after == "0-0":
        return f"the log begins after entry {gap.until}: {number} entries before it are not here"
    return (
        f"{number} entries after {gap.after}, up to {gap.until}, were acknowledged and are not here"
    )
