"""Accounts for every event of a load: on the streams, in every group, in the balance. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from gateway.balance.sheet import Balance, GroupSheet
from gateway.contract import EntryId
from gateway.drill.fault_ledger import StoredEvent, account_of
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery

__all__ = ["Evidence", "GroupProgress", "LoadFault", "Reading", "faults_of"]

_EXAMPLES: Final = 3


class Reading(Struct, frozen=True):
    """A call of the verifying group's handler; `entry` is the entry's id on its partition."""

    event_id: str
    subject: str
    partition: int
    entry: str


class GroupProgress(Struct, frozen=True, kw_only=True):
    """What a group has left of a load's events: the ids of those that it was not given, that it was
    given and has not acknowledged, and that it gave up.
    """

    group: str
    stream: str
    unread: tuple[str, ...] = ()
    in_hand: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()


class Evidence(Struct, frozen=True, kw_only=True):
    """All that a load and the installation say.

    `events` and `comments` are the load's entries by partition, each in the order of the stream;
    `comments` is None where nobody writes them. `before` and `after` are the balance.
    """

    deliveries: Sequence[ScheduledDelivery]
    events: Sequence[Sequence[StoredEvent]]
    comments: Sequence[Sequence[StoredEvent]] | None
    progress: Sequence[GroupProgress]
    readings: Sequence[Reading]
    before: Balance
    after: Balance


class LoadFault(Struct, frozen=True):
    """Something that is not as it should be: what, how often, and ids of some of the events."""

    what: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        ids = f": {', '.join(self.examples)}" if self.examples else ""
        return f"{self.count} {self.what}{ids}"


def faults_of(evidence: Evidence) -> list[LoadFault]:
    """What does not add up; empty if every event that was answered 200 is accounted for."""
    accepted = {one.event_id for one in evidence.deliveries if one.is_accepted}
    return [
        *_on_the_streams(evidence, accepted),
        *_in_the_groups(evidence.progress),
        *_in_the_verifying_group(evidence, accepted),
        *_in_the_balance(evidence.before, evidence.after),
    ]


def _on_the_streams(evidence: Evidence, accepted: set[str]) -> Iterator[LoadFault]:
    account = account_of(evidence.deliveries, evidence.events)
    on_events = Counter(one.event_id for part in evidence.events for one in part)
    yield from _fault("answered 200 are not on events", accepted - on_events.keys())
    if account.duplicated:
        yield LoadFault(
            "entries on events are of a request that has one already", account.duplicated
        )
    if account.out_of_order:
        what = "on events stand before an earlier update of the same comment"
        yield LoadFault(what, account.out_of_order)
    if evidence.comments is not None:
        on_comments = {one.event_id for part in evidence.comments for one in part}
        missing = accepted & on_events.keys() - on_comments
        yield from _fault("that are on events are not on comments", missing)


def _in_the_groups(progress: Iterable[GroupProgress]) -> Iterator[LoadFault]:
    for one in progress:
        of = f"group {one.group} on {one.stream}"
        yield from _fault(f"were not given to {of}", one.unread)
        yield from _fault(f"are in the hands of {of}", one.in_hand)
        yield from _fault(f"are dead letters of {of}", one.dead)


def _in_the_verifying_group(evidence: Evidence, accepted: set[str]) -> Iterator[LoadFault]:
    times = Counter(one.event_id for one in evidence.readings)
    yield from _fault("answered 200 were not read by the verifying group", accepted - times.keys())
    again = [event_id for event_id, count in times.items() if count > 1]
    yield from _fault("were read more than once by the verifying group", again)
    last: dict[str, EntryId] = {}
    early = []
    for one in evidence.readings:
        entry = EntryId.of(one.entry)
        if one.subject in last and entry < last[one.subject]:
            early.append(one.event_id)
        last[one.subject] = entry
    yield from _fault("were read after a later update of the same comment", early)


def _in_the_balance(before: Balance, after: Balance) -> Iterator[LoadFault]:
    grown = after.open - before.open
    if grown > 0:
        where = ", ".join(one.where for one in after.missing)
        yield LoadFault(f"more are missing in the balance than before ({where})", grown)
    earlier = {(one.group, one.stream): one for one in before.groups}
    now = {(one.group, one.stream): one for one in after.groups}
    for place in earlier.keys() - now.keys():
        yield LoadFault(f"group is gone: {place[0]} on {place[1]}", 1)
    for place, sheet in now.items():
        if place in earlier and (lost := _unaccounted(earlier[place], sheet)) > 0:
            what = (
                f"went past group {sheet.group} on {sheet.stream}: never handled, dead or waiting"
            )
            yield LoadFault(what, lost)


def _unaccounted(before: GroupSheet, after: GroupSheet) -> int:
    """How many entries that came meanwhile are neither settled nor before the group.

    0 of a group that nobody counts for, as those of services that do not use the runtime.
    """
    if before.waiting is None or after.waiting is None or before.since_ms is None:
        return 0

    def placed(sheet: GroupSheet) -> int:
        settled = (sheet.handled, sheet.passed_over, sheet.dead, sheet.struck, sheet.erased)
        return sum(settled) + sheet.in_hand + (sheet.waiting or 0)

    return (after.added - before.added) - (placed(after) - placed(before))


def _fault(what: str, ids: Iterable[str]) -> Iterator[LoadFault]:
    found = sorted(ids)
    if found:
        yield LoadFault(what, len(found), tuple(found[:_EXAMPLES]))
