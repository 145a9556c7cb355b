"""Says what a fault came to: what was answered against what is stored and handled. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from gateway.contract import EntryId
from gateway.drill.delivery_load import LoadDelivery
from gateway.drill.drill_faults import DrillFault
from gateway.drill.effect_store import Effect, Told
from gateway.drill.fault_ledger import StoredEvent, account_of
from gateway.drill_record import FaultOutcome

__all__ = ["FaultSpan", "Found", "TriedFault", "outcome_of", "spans_of"]


class TriedFault(Struct, frozen=True):
    """A fault that was tried, until when (monotonic seconds), and what has not come about then."""

    fault: DrillFault
    ended_at: float
    why_not_well: str | None = None


class FaultSpan(Struct, frozen=True, kw_only=True):
    """The requests that were over before a fault's end, and not before its beginning.

    `why_not_well` is what has not come about, if all was not well in the end.
    """

    fault: DrillFault
    deliveries: Sequence[LoadDelivery]
    why_not_well: str | None = None


class Found(Struct, frozen=True, kw_only=True):
    """What was found at the end of a drill: on the streams, in their order, and in the sink."""

    streams: Sequence[Sequence[StoredEvent]]
    effects: Sequence[Effect]
    told: Sequence[Told]


def spans_of(tried: Sequence[TriedFault], deliveries: Iterable[LoadDelivery]) -> list[FaultSpan]:
    """Which requests belong to which of one fault or more; `deliveries` are as they were sent.

    One that is under way when a fault ends is the next one's, which may cut it off. The last
    fault has those after it, too.
    """
    ends = [one.ended_at for one in tried[:-1]]
    of_faults: list[list[LoadDelivery]] = [[] for _ in tried]
    for delivery in deliveries:
        of_faults[bisect_left(ends, delivery.over_at)].append(delivery)
    return [
        FaultSpan(fault=one.fault, deliveries=its_own, why_not_well=one.why_not_well)
        for one, its_own in zip(tried, of_faults, strict=True)
    ]


def outcome_of(span: FaultSpan, found: Found) -> FaultOutcome:
    """What became of the requests of a fault, and what of it is not as it should be."""
    account = account_of(span.deliveries, found.streams)
    accepted = {one.event_id for one in span.deliveries if one.is_accepted}
    effects = {one.event_id for one in found.effects}
    repeated = Counter(one.event_id for one in found.told if one.outcome == "repeated")
    outcome = FaultOutcome(
        fault=span.fault.name,
        sent=account.sent,
        answered=account.accepted,
        spooled=account.spooled,
        refused=account.refused,
        unanswered=account.unanswered,
        stored=account.stored,
        handled=len(accepted & effects),
        # What was handled may have been trimmed since, where memory is short.
        lost=len(accepted - effects),
        doubled=account.duplicated,
        recognised=sum(repeated[event_id] for event_id in accepted),
        out_of_order=account.out_of_order + _handled_out_of_order(found.effects, accepted),
        seconds_without_200=account.seconds_without_200,
    )
    return replace(outcome, wrong=tuple(_wrong(span, outcome)))


def _handled_out_of_order(effects: Sequence[Effect], accepted: Collection[str]) -> int:
    """How many effects of a comment stand behind that of a later entry."""
    by_comment: defaultdict[int, list[EntryId]] = defaultdict(list)
    for one in effects:
        if one.event_id in accepted:
            by_comment[one.comment_id].append(EntryId.of(one.entry_id))
    return sum(later < one for ids in by_comment.values() for one, later in pairwise(ids))


def _wrong(span: FaultSpan, outcome: FaultOutcome) -> Iterator[str]:
    fault = span.fault
    if span.why_not_well is not None:
        yield span.why_not_well
    if not outcome.answered:
        yield "no request was answered 200"
    if outcome.lost:
        yield f"lost: {outcome.lost} were answered 200 and never handled"
    if outcome.doubled:
        yield f"doubled: {outcome.doubled} stand on the stream once more"
    if outcome.out_of_order and not fault.excuses_disorder:
        yield f"out of order: {outcome.out_of_order}"
    if outcome.refused and not fault.excuses_refused:
        yield f"{outcome.refused} were refused, and Bitrix24 does not send them again"
    if outcome.unanswered and not fault.excuses_unanswered:
        yield f"{outcome.unanswered} got no answer, and Bitrix24 does not send them again"
