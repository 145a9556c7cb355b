"""Describes an entry: as handlers are given it, and as the runtime holds it until it is done."""

from msgspec import Struct
from msgspec.structs import replace

from gateway.contract import Event

__all__ = ["DroppedEntry", "Entry", "Event", "HeldEntry", "Partition", "Source"]


class Partition(Struct, frozen=True):
    """A partition that this process owns.

    `epoch` grows with every change of owner, across restarts of Redis too. A sink that stores it
    beside its data and refuses lower ones is safe from a process that lost its lease unawares.
    """

    number: int
    epoch: int


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """An event on a stream, as one delivery of it.

    `stream` is the stream's name (`events`, `comments`) and `id` the entry's id on it, of the form
    `<milliseconds>-<sequence>`: compare ids as two numbers, never as strings. `raw` is the event's
    JSON as it stands on the stream. `attempt` counts the calls of the handler in this process from
    1; `deliveries` counts the processes that took the entry in hand and ended without giving it
    back, and this one.
    `is_replay` is true when an operator gave the group an old event again: state may be rebuilt
    from it, and nobody should be told of it again.
    """

    stream: str
    partition: int
    epoch: int
    id: str
    event: Event
    raw: bytes
    attempt: int = 1
    deliveries: int = 1
    is_replay: bool = False


class Source(Struct, frozen=True, eq=False):
    """A stream that a group's owner reads: the shared one, or the redeliveries of its group.

    There is one object for each, compared by identity, since entries are looked up by it.
    """

    name: str
    key: str
    is_redelivery: bool


class HeldEntry(Struct, eq=False, kw_only=True, gc=False):
    """An entry in the hands of this process: delivered to it, and not yet acknowledged.

    `id` is where it was read, which for a redelivery differs from the entry's own id. `failures`
    counts attempts that burn, the first of which was at `failing_since` (Unix time, 0: none),
    `delays` the transient failures since the last other result, and `arrived_at` is by the event
    loop's clock. `history` is how a redelivery died before.
    """

    source: Source
    id: bytes
    entry: Entry
    failures: int = 0
    failing_since: float = 0.0
    delays: int = 0
    arrived_at: float = 0.0
    history: bytes = b""

    @property
    def lane(self) -> str:
        """What has to be handled in order: all events of one subject of one portal."""
        event = self.entry.event
        return event.source + event.subject

    def failed(self, now: float, *, is_transient: bool) -> None:
        """Note a failed attempt, by Unix time; what counts towards a dead letter, if it burns."""
        self.entry = replace(self.entry, attempt=self.entry.attempt + 1)
        if is_transient:
            self.delays += 1
        else:
            self.delays = 0
            self.failures += 1
            self.failing_since = self.failing_since or now

    def failing_s(self, now: float) -> float:
        """For how many seconds attempts that burn have failed."""
        return now - self.failing_since if self.failing_since else 0.0


class DroppedEntry(Struct, frozen=True, gc=False):
    """An entry that nobody handles, on its way out: where it was read, and its id there."""

    source: Source
    id: bytes
