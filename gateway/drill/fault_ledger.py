"""Draws up what became of requests during a fault: answers against the streams. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from msgspec import Struct, json

from gateway.drill.delivery_load import LoadDelivery

__all__ = ["FaultAccount", "StoredEvent", "account_of", "stored_event"]


class StoredEvent(Struct, frozen=True):
    """What tells an entry's event and request: the event's id, the comment, Bitrix24's ts."""

    event_id: str
    comment_id: int
    ts: int


class _Data(Struct):
    comment_id: int


class _Event(Struct):
    id: str
    time: datetime
    data: _Data


_decode = json.Decoder(_Event).decode


def stored_event(event: bytes) -> StoredEvent:
    """From the field `event` of an entry."""
    decoded = _decode(event)
    return StoredEvent(decoded.id, decoded.data.comment_id, int(decoded.time.timestamp()))


class FaultAccount(Struct, frozen=True, kw_only=True):
    """What became of the requests of one fault.

    `lost` and `out_of_order` count accepted requests: those whose event is on no stream, and
    those whose event stands before one that was accepted earlier for the same comment.
    `duplicated` counts entries beyond the first of any one request, accepted or not.
    `seconds_without_200` is the longest time in which no request was accepted.
    """

    sent: int
    accepted: int
    spooled: int
    refused: int
    unanswered: int
    stored: int
    lost: int
    duplicated: int
    out_of_order: int
    seconds_without_200: float


def account_of(
    deliveries: Sequence[LoadDelivery], streams: Iterable[Sequence[StoredEvent]]
) -> FaultAccount:
    """Compare; `deliveries` in the order of sending, each stream in the order of its entries,
    those of former partitions first.

    What is on the streams besides is left out.
    """
    streams = list(streams)
    asked = {(delivery.comment_id, delivery.ts) for delivery in deliveries}
    accepted = [delivery for delivery in deliveries if delivery.is_accepted]
    # One after the other: what a comment has on a former partition came before what it has now.
    positions = {
        entry.event_id: position for position, entry in enumerate(chain.from_iterable(streams))
    }
    requests = Counter(
        request
        for stream in streams
        for entry in stream
        if (request := (entry.comment_id, entry.ts)) in asked
    )
    return FaultAccount(
        sent=len(deliveries),
        accepted=len(accepted),
        spooled=sum(delivery.stored == "spool" for delivery in accepted),
        refused=sum(delivery.status not in {200, None} for delivery in deliveries),
        unanswered=sum(delivery.status is None for delivery in deliveries),
        stored=sum(requests.values()),
        lost=sum(delivery.event_id not in positions for delivery in accepted),
        duplicated=sum(count - 1 for count in requests.values()),
        out_of_order=_out_of_order(accepted, positions),
        seconds_without_200=round(_longest_silence(deliveries), 1),
    )


def _out_of_order(accepted: Iterable[LoadDelivery], positions: dict[str, int]) -> int:
    last: defaultdict[int, int] = defaultdict(lambda: -1)
    count = 0
    for delivery in accepted:
        position = positions.get(delivery.event_id)
        if position is None:
            continue
        if position < last[delivery.comment_id]:
            count += 1
        else:
            last[delivery.comment_id] = position
    return count


def _longest_silence(deliveries: Sequence[LoadDelivery]) -> float:
    if not deliveries:
        return 0.0
    moments = sorted(delivery.answered_at for delivery in deliveries if delivery.is_accepted)
    ends = [*moments, max([deliveries[-1].sent_at, *moments[-1:]])]
    return max(
        end - start for start, end in zip([deliveries[0].sent_at, *moments], ends, strict=True)
    )
