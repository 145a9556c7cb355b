"""A stream, modelled: what is on it, who has read what, and what somebody took away."""

from hypothesis import strategies as st

from gateway.contract import EntryId
from gateway.retention.losses import Loss, balanced, removal
from gateway.retention.stream_state import (
    GroupState,
    StreamState,
)

NOW = 1_000_000


IDS = st.builds(EntryId, st.integers(1, NOW), st.integers(0, 3))


class Model:
    """A stream and its groups, as Redis keeps them."""

    def __init__(self, entries: list[EntryId]) -> None:
        self.added = sorted(set(entries))
        self.entries = list(self.added)
        self.delivered: dict[str, EntryId] = {}
        self.unacknowledged: dict[str, set[EntryId]] = {}
        self.missed: dict[str, set[EntryId]] = {}
        self.read_counts: dict[str, int | None] = {}
        self.max_deleted = EntryId(0)

    def read(self, group: str, count: int, *, acknowledged: int) -> None:
        """Deliver up to `count` entries, the first of which are acknowledged."""
        place = self.delivered.setdefault(group, EntryId(0))
        found = [entry for entry in self.entries if entry > place][:count]
        self.unacknowledged.setdefault(group, set()).update(found[acknowledged:])
        if found:
            self.delivered[group] = found[-1]
        # Redis counts by position among all that were ever added, read or not; and not at all for
        # a group that it has delivered nothing.
        position = sum(entry <= self.delivered[group] for entry in self.added)
        self.read_counts[group] = position or None

    def remove(self, entries: set[EntryId], *, one_by_one: bool = False) -> None:
        gone = entries & set(self.entries)
        self.entries = [entry for entry in self.entries if entry not in gone]
        for group, place in self.delivered.items():
            unread = {entry for entry in gone if entry > place}
            lost = gone & self.unacknowledged[group]
            self.missed.setdefault(group, set()).update(unread | lost)
        if one_by_one:
            self.max_deleted = max([self.max_deleted, *gone])

    def state(self) -> StreamState:
        first = self.entries[0] if self.entries else None
        last = self.added[-1] if self.added else EntryId(0)
        return StreamState(
            length=len(self.entries),
            first=first,
            last=last,
            max_deleted=self.max_deleted,
            added=len(self.added),
            groups=tuple(self._group(name, first) for name in sorted(self.delivered)),
        )

    def _group(self, name: str, first: EntryId | None) -> GroupState:
        pending = self.unacknowledged[name]
        there = pending & set(self.entries)
        gone = {entry for entry in pending if first is None or entry < first}
        unread = [entry for entry in self.entries if entry > self.delivered[name]]
        return GroupState(
            name=name,
            delivered=self.delivered[name],
            read_count=self.read_counts[name],
            lag=len(unread),
            pending=len(pending),
            oldest_pending=min(there, default=None),
            next_unread=min(unread, default=None),
            pending_before_first=len(gone),
        )


@st.composite
def models(draw: st.DrawFn) -> Model:
    model = Model(draw(st.lists(IDS, max_size=30)))
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        for _ in range(draw(st.integers(1, 3))):
            model.read(name, draw(st.integers(0, 12)), acknowledged=draw(st.integers(0, 12)))
    return model


def lost(
    model: Model, *, gone: set[EntryId], one_by_one: bool, then_reads: int
) -> tuple[Loss, ...]:
    """What is told of group `a` after a removal that a look follows."""
    before = model.state()
    model.remove(gone, one_by_one=one_by_one)
    model.read("a", then_reads, acknowledged=then_reads)
    known = {group.name: group for group in before.groups}
    found = removal(model.state(), balanced(before, None), known)
    return found.losses if found else ()
