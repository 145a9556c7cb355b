"""Holds an entry of a stream as the feed sends it: read once, written once for each way."""

from typing import Final

import msgspec
from msgspec import Struct

from consumers.feed.cursor import ReadPlace
from consumers.feed.event_without_texts import without_texts
from gateway.contract import EVENT_FIELD, KIND_FIELD, EntryId, InvalidEvent, decode_event

__all__ = ["FeedEntry", "entry_of"]

_SOURCE: Final = "urn:bitrix24:"
_LINE_ENDS: Final = (b"\n", b"\r")


class FeedEntry(Struct, kw_only=True, gc=False):
    """An entry, its place, and what decides who may see it.

    `raw` is the event's JSON in one line, as it is on the stream; of an entry that was there
    before (gateway.contract.REPLAY_KIND) with the attribute `kind`. Empty for what is no event,
    which nobody is sent.
    """

    partition: int
    id: EntryId
    number: int
    raw: bytes
    type: str
    member_id: str
    reduced: bytes | None = None

    @property
    def place(self) -> ReadPlace:
        """Where somebody is who has read up to here."""
        return ReadPlace(self.id, self.number)

    @property
    def size(self) -> int:
        """At most about so many bytes it takes in memory, however it is written."""
        return 2 * len(self.raw) + 300

    def json(self, *, has_texts: bool) -> bytes:
        """The event as somebody is sent it."""
        if has_texts:
            return self.raw
        if self.reduced is None:
            self.reduced = without_texts(self.raw)
        return self.reduced


def entry_of(partition: int, entry_id: bytes, number: int, fields: dict[bytes, bytes]) -> FeedEntry:
    """The entry; what is no event of the contract has no `raw`."""
    raw, event_type, member_id = fields.get(EVENT_FIELD, b""), "", ""
    try:
        event = decode_event(raw)
    except InvalidEvent:
        raw = b""
    else:
        event_type, member_id = event.type, event.source.removeprefix(_SOURCE)
        raw = _in_one_line(raw, fields.get(KIND_FIELD))
    return FeedEntry(
        partition=partition,
        id=EntryId.of(entry_id),
        number=number,
        raw=raw,
        type=event_type,
        member_id=member_id,
    )


def _in_one_line(raw: bytes, kind: bytes | None) -> bytes:
    """The event's JSON without line ends, which frame an event here, and with its `kind`."""
    if any(one in raw for one in _LINE_ENDS):
        raw = msgspec.json.format(raw, indent=-1)
    if kind is None:
        return raw
    written = msgspec.json.encode(kind.decode("utf-8", "replace"))
    return b'%s,"kind":%s}' % (raw.rstrip()[:-1], written)
