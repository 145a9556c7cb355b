"""What handlers are given: an event, and where it stands on its stream."""

from msgspec import Struct

from gateway.contract import AppEvent, CommentEvent, OtherEvent, PortalEvent

__all__ = ["Entry", "Event", "Partition"]

Event = CommentEvent | AppEvent | PortalEvent | OtherEvent


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
