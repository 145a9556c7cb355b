"""An entry in the hands of this process: delivered to it, and not yet acknowledged."""

from collections.abc import Sequence

from msgspec import Struct

from consumers.runtime.entry import Entry

__all__ = ["Held", "Postponed", "Source"]


class Source(Struct, frozen=True, eq=False):
    """A stream that a group's owner reads: the shared one, or the redeliveries of its group.

    There is one object for each, compared by identity, since entries are looked up by it.
    """

    name: str
    key: str
    is_own: bool


class Held(Struct, eq=False, kw_only=True, gc=False):
    """`id` is where it was read, which for a redelivery differs from the entry's own id.

    `failures` counts attempts that burn, `delays` the transient failures since the last other
    result, and `arrived_at` is by the event loop's clock.
    """

    source: Source
    id: bytes
    entry: Entry
    failures: int = 0
    delays: int = 0
    arrived_at: float = 0.0

    @property
    def lane(self) -> str:
        """What has to be handled in order: all events of one subject of one portal."""
        event = self.entry.event
        return event.source + event.subject


class Postponed(Struct, frozen=True):
    """Entries of a batch that are to be tried again after a pause; its others are settled."""

    held: Sequence[Held]
    pause_s: float
