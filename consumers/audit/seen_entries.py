"""Remembers which entries a chain already holds: exactly, in bounded memory.

Entry ids rise within a partition, so an id above all ids of the chain is new. Of the others, the
latest are remembered; any other (an old event given again by an operator, say) is looked for in
the files.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from consumers.audit.day_files import DayFile, FileDamaged, day_files, open_lines
from gateway.contract import EntryId

__all__ = ["SeenEntries"]

# Redelivery after a crash concerns a few batches; 20,000 ids take about 3 MB.
_REMEMBERED: Final = 20_000
_EVENT: Final = b'{"kind":"event",'


class _Entry(msgspec.Struct):
    entry: str


_decoder = msgspec.json.Decoder(_Entry)


class SeenEntries:
    """Knows the entries of one chain. `newest` is the highest id, `recent` are the latest ones.

    An id that stands in a gap of the chain is below `newest` and looked for in the files, in vain.
    """

    def __init__(self, chain: Path, *, newest: str, recent: Iterable[str] = ()) -> None:
        self._chain = chain
        self._newest = EntryId.of(newest)
        self._recent: dict[str, None] = {}
        self._older = _OlderEntries(chain)
        self.add(recent)

    def known_among(self, entry_ids: Sequence[str]) -> set[str]:
        """Those of the ids that the chain holds. May read files of the chain.

        Raises FileDamaged, OSError: then it is not certain, and nothing must be added.
        """
        known = {entry_id for entry_id in entry_ids if entry_id in self._recent}
        older = {
            entry_id
            for entry_id in entry_ids
            if entry_id not in known and _place(entry_id) <= self._newest
        }
        return known | self._older.known_among(older) if older else known

    def reach(self, entry_id: str) -> None:
        """All ids up to this one are in the chain, or known to be missing from it."""
        self._newest = max(self._newest, EntryId.of(entry_id))

    def add(self, entry_ids: Iterable[str]) -> None:
        """The chain now holds these, in this order; `reach` says how far it goes."""
        self._recent |= dict.fromkeys(entry_ids)
        for entry_id in list(self._recent)[: len(self._recent) - _REMEMBERED]:
            del self._recent[entry_id]

    @property
    def newest(self) -> str:
        """The highest id in the chain, or that a gap in it reaches to; `0-0` if there is none."""
        return str(self._newest)

    def newest_with(self, entry_ids: Iterable[str]) -> str:
        """The highest id once these are added; `0-0` if there is none."""
        highest = max(entry_ids, key=_place, default="0-0")
        return highest if _place(highest) > self._newest else self.newest


def _place(entry_id: str) -> tuple[int, int]:
    """An id that the server gave as two numbers: as EntryId.of, without its checks."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)


class _OlderEntries:
    """A search through the files that goes on where the last one ended.

    A long replay asks for old entries in the order of the files, so all its batches together cost
    one pass over them.
    """

    def __init__(self, chain: Path) -> None:
        self._chain = chain
        self._walk: Iterator[str] = iter(())

    def known_among(self, entry_ids: set[str]) -> set[str]:
        missing = set(entry_ids)
        self._find(missing)
        if missing:
            # A record is made after its entry; a day is room for clocks that differ.
            oldest_ms = min(EntryId.of(entry_id).ms for entry_id in missing)
            first = datetime.fromtimestamp(oldest_ms / 1000, UTC) - timedelta(days=1)
            self._walk = self._entries_since(first.date().isoformat())
            self._find(missing)
        return entry_ids - missing

    def _find(self, missing: set[str]) -> None:
        """Remove from `missing` what the walk comes by, until it has all or ends."""
        for entry_id in self._walk:
            missing.discard(entry_id)
            if not missing:
                break

    def _entries_since(self, day: str) -> Iterator[str]:
        for file in day_files(self._chain):
            if file.day < day:
                continue
            with open_lines(file) as lines:
                for line in lines:
                    if line.startswith(_EVENT):
                        yield _entry_in(line, file)


def _entry_in(line: bytes, file: DayFile) -> str:
    try:
        return _decoder.decode(line).entry
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileDamaged(f"{file.path}: one of its records is damaged: {error}") from error
