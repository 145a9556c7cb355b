"""Remembers whose entries are parked: delivered, pending on the server, in nobody's hands. Pure.

What a pause lets wait must not fill the hand, nor the memory, however much it is. So nothing is
kept here of a parked entry: it stays pending, and only whose it is is noted. Whatever comes later
of the same subject is parked behind it. When a pause begins or ends, all that is parked is looked
through in its order: what need not wait any more is taken in hand, and the rest is noted anew.

An operator's pause parks by portal, or by type within the subjects that have such an event. A
portal costs one note, however many of its entries are parked; a subject costs some 70 bytes.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from consumers.runtime.entry import Event, Source
from gateway.contract import EntryId

__all__ = ["Parking"]

_MAX_SUBJECTS: Final = 100_000
"""Noted one by one; beyond that, a portal is noted as a whole, and all of it waits."""


class _Notes(Struct):
    """Whose entries are parked; None: all that a portal has."""

    subjects: dict[str, set[int] | None] = field(default_factory=dict)
    subject_count: int = 0
    counts: dict[Source, int] = field(default_factory=dict)
    firsts: dict[Source, bytes] = field(default_factory=dict)

    def has(self, event: Event) -> bool:
        if event.source not in self.subjects:
            return False
        some = self.subjects[event.source]
        return some is None or hash(event.subject) in some

    def note(self, source: Source, entry_id: bytes, portal: str, subject: str | None) -> None:
        self.counts[source] = self.counts.get(source, 0) + 1
        first = self.firsts.get(source)
        if first is None or EntryId.of(entry_id) < EntryId.of(first):
            self.firsts[source] = entry_id
        some = self.subjects.setdefault(portal, set())
        if some is None:
            return
        before = len(some)
        if subject is not None:
            some.add(hash(subject))
        self.subject_count += len(some) - before
        if subject is None or self.subject_count > _MAX_SUBJECTS:
            self.subjects[portal] = None
            self.subject_count -= len(some)


class Parking:
    """Notes what is parked of one partition, for one tenure.

    While it is looked through (`is_looked_through`), `after` is how far each source was; what comes
    meanwhile and has to wait is noted beside what was noted before, and is looked at in its turn.
    """

    def __init__(self) -> None:
        self._notes = _Notes()
        self._next: _Notes | None = None
        self._after: dict[Source, bytes] = {}
        self._ended: set[Source] = set()
        self._is_stale = False
        self._uncounted: dict[Source, dict[int, list[bytes]]] = {}

    def uncount(self, source: Source, entry_id: bytes, deliveries: int) -> None:
        """Note that the server counts a delivery too many of an entry that is parked."""
        self._uncounted.setdefault(source, {}).setdefault(deliveries - 1, []).append(entry_id)

    def uncounted(self, source: Source) -> dict[int, list[bytes]]:
        """Take the ids that `uncount` was given, by the count that they have to have again."""
        return self._uncounted.pop(source, {})

    @property
    def is_empty(self) -> bool:
        """Whether nothing is parked."""
        return not self._notes.subjects

    @property
    def is_looked_through(self) -> bool:
        """Whether a look through what is parked is under way."""
        return self._next is not None

    @property
    def sources(self) -> Iterable[Source]:
        """The sources of what is parked."""
        return self._notes.counts.keys()

    def count(self, source: Source) -> int:
        """About how many entries of a source are parked."""
        return self._notes.counts.get(source, 0)

    def first(self, source: Source) -> bytes | None:
        """No entry of a source that is parked has a lower id; None if none is parked."""
        return self._notes.firsts.get(source)

    def is_before(self, event: Event) -> bool:
        """Whether something is parked that an entry which comes now has to wait behind."""
        return bool(self._notes.subjects) and self._notes.has(event)

    def park(self, source: Source, entry_id: bytes, event: Event, *, with_portal: bool) -> None:
        """Note an entry that comes now; `with_portal` if all of its portal has to wait."""
        self._notes.note(source, entry_id, event.source, None if with_portal else event.subject)
        if self._next is not None:
            self._after.setdefault(source, _before(entry_id))
            self._ended.discard(source)

    def park_again(self, source: Source, entry_id: bytes, portal: str, subject: str | None) -> None:
        """Note an entry that was in hand or aside; without `subject` all of its portal waits."""
        self._notes.note(source, entry_id, portal, subject)
        if self._next is not None:
            self._next.note(source, entry_id, portal, subject)
            self._is_stale = True

    def begin(self, sources: Iterable[Source] = ()) -> None:
        """Look through it from the first entry; `sources`: through all that is pending of these."""
        self._next = _Notes()
        self._ended.clear()
        self._is_stale = False
        self._after = {source: _before(one) for source, one in self._notes.firsts.items()}
        self._after |= dict.fromkeys(sources, b"0-0")

    def after(self, source: Source) -> bytes | None:
        """Behind which id the look through a source goes on; None if it is through."""
        return None if source in self._ended else self._after.get(source)

    def must_wait(self, event: Event) -> bool:
        """Whether this look has found something parked that an entry has to wait behind."""
        return self._next is not None and self._next.has(event)

    def keep(self, source: Source, entry_id: bytes, event: Event, *, with_portal: bool) -> None:
        """Leave an entry parked that was looked at."""
        assert self._next is not None  # noqa: S101 - tells the type checker
        self._next.note(source, entry_id, event.source, None if with_portal else event.subject)

    def postpone(self, source: Source, entry_id: bytes, event: Event) -> None:
        """Leave an entry parked for want of room; it is looked at again."""
        self.keep(source, entry_id, event, with_portal=True)
        self._is_stale = True

    def looked(self, source: Source, upto: bytes, *, is_end: bool) -> None:
        """Note how far a source was looked through, and whether that is all of it."""
        self._after[source] = upto
        if is_end:
            self._ended.add(source)

    def end(self) -> None:
        """End the look if it is through with all sources.

        It begins anew if it may have missed something that was parked meanwhile.
        """
        if self._next is None or self._after.keys() - self._ended:
            return
        self._notes, self._next = self._next, None
        self._after.clear()
        if self._is_stale:
            self.begin()


def _before(entry_id: bytes) -> bytes:
    return str(EntryId.of(entry_id).previous).encode()
