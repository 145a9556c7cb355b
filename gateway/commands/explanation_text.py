"""Writes an event's way for people: a line for each place, below it what became of it there."""

from collections.abc import Iterator, Sequence

from gateway.explanation.event_way import (
    Candidate,
    EventWay,
    FetchOutcome,
    GroupOutcome,
    KeptOutcome,
    LookedThrough,
    NotificationOutcome,
)
from gateway.ops.entries_in_hand import LastFailure
from gateway.ops.text_tables import span, table

__all__ = ["candidates_text", "looked_text", "way_lines"]


def way_lines(way: EventWay) -> Iterator[str]:
    """The lines, which hold texts of others: they are to be made printable."""
    yield from _event_lines(way)
    if way.spool.is_here:
        yield f"spool         waits on this machine since {way.spool.since}"
    for place in way.places:
        silent = ", as a replay of which nobody is told" if place.is_replay else ""
        entry = f"{place.stream}/{place.partition}/{place.entry_id}"
        yield f"stored        {entry} at {place.stored_at}{silent}"
        if place.stream == "comments":
            for name, fetched in (("comment", way.comment), ("object", way.object)):
                if fetched is not None:
                    yield f"  {name:<16}{_fetched(fetched)}"
        for group in way.groups:
            if (group.stream, group.entry_id) == (place.stream, place.entry_id):
                yield from _group_lines(group)
    for one in way.notifications:
        yield f"notification  {one.target}: {_notification(one)}"
    if way.quarantined_for is not None:
        yield (
            f"quarantine    its token was not registered: gateway portals quarantine show "
            f"{way.quarantined_for} --receipt-id {way.event_id}"
        )
    yield from _not_here_lines(way)
    for kept in way.kept or ():
        yield f"{kept.place:<14}{_kept(kept)}"
    if way.is_found or any(one.state == "there" for one in way.kept or ()):
        yield f"see also      {way.commands[0]}"
        yield from (f"              {command}" for command in way.commands[1:])


def _event_lines(way: EventWay) -> Iterator[str]:
    event = way.event
    if event is None:
        yield f"event         {way.event_id}"
        yield f"received      {way.received_at}, by the time in the id"
        return
    portal = f"{event.domain} ({event.portal})" if event.domain else event.portal
    yield f"event         {way.event_id}  {event.type}  {event.subject}  {portal}"
    happened = f"happened {event.happened_at} by Bitrix24's clock"
    if event.is_recovered:
        yield f"recovered     {event.received_at}, when it was found missing; {happened}"
    else:
        yield f"received      {event.received_at}; {happened}"


def candidates_text(found: Sequence[Candidate]) -> str:
    """A table of the events that may have been meant."""
    head = ("EVENT", "RECEIVED", "TYPE", "SUBJECT", "PORTAL", "WHERE")
    rows = [
        (one.event_id, one.received_at, one.type, one.subject, one.domain or one.portal, one.place)
        for one in found
    ]
    return table(head, rows)


def looked_text(looked: LookedThrough) -> str:
    """How far a partition was looked through."""
    name = f"{looked.stream}/{looked.partition}"
    if looked.begins_at is None:
        return f"{name} is empty"
    is_gone = looked.begins_at > looked.since
    begins = f"; it begins at {looked.begins_at}, nothing older is left" if is_gone else ""
    rest = "" if looked.is_whole else "; there was no time for more"
    return f"{name} was looked through from {looked.since} to {looked.until}{begins}{rest}"


def _not_here_lines(way: EventWay) -> Iterator[str]:
    """What was not found, and how far it was looked for."""
    if not way.places:
        if not way.is_found and way.quarantined_for is None:
            spool = "in no spool of this machine"
            if way.why_no_redis is None:
                yield f"not here      it is on no stream that was seen, and {spool}"
            else:
                yield f"not known     it is {spool}; of streams, Redis did not say all"
        yield from (f"              {looked_text(one)}" for one in way.looked)
        if way.spools_since is not None:
            yield (
                f"              events wait in receivers' spools since {way.spools_since}: "
                "ask on those machines"
            )
    if way.spool.why_not_known is not None and not way.places:
        yield f"spool         not looked at: {way.spool.why_not_known}"
    if way.why_no_redis is not None:
        yield f"redis         {way.why_no_redis}: of streams and groups, no more is known"


def _kept(kept: KeptOutcome) -> str:
    match kept.state:
        case "there":
            table = f"a row of {kept.table}, loaded" if kept.table else "recorded"
            return f"{table} at {kept.at}"
        case "not there":
            return "has no such event"
    return f"not known: {kept.why_not}"


def _fetched(outcome: FetchOutcome) -> str:
    words = [outcome.state]
    if outcome.reason:
        words.append(f"({outcome.reason})")
    if outcome.fetched_at:
        words.append(f"fetched at {outcome.fetched_at}")
    if outcome.asked_again_at:
        words.append(f"asked for again at {outcome.asked_again_at}")
    return " ".join(words)


def _group_lines(group: GroupOutcome) -> Iterator[str]:
    yield f"  {group.group:<16}{_state(group)}"
    if group.paused is not None:
        yield f"  {'':<16}paused: {group.paused}; {group.resume}"
    for letter in group.letters:
        yield (
            f"  {'':<16}{letter.reason} at {letter.failed_at} after {letter.attempts} attempts: "
            f"{letter.error}"
        )
        yield f"  {'':<16}gateway dead show --group {group.group} {letter.address}"
    for again in group.again:
        what = "given again" if again.kind == "retry" else "replayed"
        where = "in hand" if again.is_in_hand else "waiting"
        yield f"  {'':<16}{what}, {where} as replay/{again.entry_id}{_failure(again.failure)}"
    if group.is_unsure:
        yield f"  {'':<16}there was no time for all of its dead letters and redeliveries"


def _state(group: GroupOutcome) -> str:
    owner = f"by {group.owner}" if group.owner else "and nobody works on the partition"
    match group.state:
        case "waiting":
            behind = f"the group stands at {group.position}"
            return f"waiting: {behind}" + ("" if group.owner else f", {owner}")
        case "in hand":
            times = f", taken {group.deliveries} times" if (group.deliveries or 0) > 1 else ""
            held = span(group.in_hand_s or 0.0)
            return f"in hand for {held} {owner}{times}{_failure(group.failure)}"
        case "handled":
            return "handled: delivered before the group's position, and not pending"
    return group.state


def _failure(failure: LastFailure | None) -> str:
    if failure is None:
        return ""
    ago = f", the last {span(failure.ago_s)} ago" if failure.ago_s is not None else ""
    return f"; {failure.attempts} attempts failed{ago}: {failure.error}"


def _notification(one: NotificationOutcome) -> str:
    by = f", with a later change of the comment ({one.by_event})" if one.by_event else ""
    tries = f", after {one.tries} failed tries" if one.tries else ""
    match one.state:
        case "not taken":
            return "not taken: no route wanted it, or it is a replay, or older than three days"
        case "waits":
            return f"waits until {one.at}{tries}{by}"
        case "held":
            return f"held back until {one.at} by quiet hours or a cap{tries}{by}"
        case "sent":
            return f"sent at {one.at}{by}"
        case "given up":
            return f"given up at {one.at}: {one.reason}{by}"
        case "withdrawn":
            return f"withdrawn: the comment was deleted before it was told ({one.by_event})"
        case "joined":
            return f"told of together with a later change of the comment ({one.by_event})"
        case "taken":
            return (
                f"taken, and no longer there: sent, withdrawn or given up, which was not noted{by}"
            )
    return f"{one.state}{tries}{by}"
