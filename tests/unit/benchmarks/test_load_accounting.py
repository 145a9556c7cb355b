"""The account of a load finds each way in which an event can be missing."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.balance.sheet import Balance, DoorSheet, GroupSheet, Missing
from gateway.drill.fault_ledger import StoredEvent
from gateway.sandbox.bodies import body_of
from tests.benchmarks.load_test.accounting import Evidence, GroupProgress, Reading, faults_of
from tests.benchmarks.load_test.load_portal import LOAD_PORTAL, body_writer
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery

DOOR = DoorSheet(
    accepted=0, published=0, in_spools=0, refused={}, unanswered=0, under_way=0, once=0
)


def sheet(**counts: Any) -> GroupSheet:
    """A group that has handled two of two entries, but for what is said."""
    return GroupSheet(
        **{
            "group": "audit",
            "stream": "events",
            "added": 2,
            "given": 2,
            "handled": 2,
            "passed_over": 0,
            "dead": 0,
            "struck": 0,
            "erased": 0,
            "in_hand": 0,
            "since_ms": 1,
            "waiting": 0,
            **counts,
        }
    )


def balance(*groups: GroupSheet, missing: Sequence[Missing] = ()) -> Balance:
    return Balance(at_ms=1, door=DOOR, groups=groups, missing=tuple(missing))


def delivered(event_id: str, *, at: float, comment_id: int = 1) -> ScheduledDelivery:
    return ScheduledDelivery(comment_id, int(at), at, 200, event_id, "stream", at + 0.1)


def entry(event_id: str, *, ts: int, comment_id: int = 1) -> StoredEvent:
    return StoredEvent(event_id, comment_id, ts)


ENTRIES = [entry("a", ts=1), entry("b", ts=2)]
WELL = Evidence(
    deliveries=[delivered("a", at=1), delivered("b", at=2)],
    events=[ENTRIES],
    comments=[ENTRIES],
    progress=[GroupProgress(group="audit", stream="events")],
    readings=[Reading("a", "comment/1", 0, "1-0"), Reading("b", "comment/1", 0, "2-0")],
    before=balance(sheet(added=0, given=0, handled=0)),
    after=balance(sheet()),
)


def test_nothing_is_found_where_all_is_there() -> None:
    assert faults_of(WELL) == []


def test_events_of_others_are_no_matter() -> None:
    others = balance(sheet(added=7, given=6, handled=4, in_hand=2, waiting=1))
    assert faults_of(replace(WELL, after=others)) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"events": [ENTRIES[:1]]}, "answered 200 are not on events"),
        ({"comments": [ENTRIES[:1]]}, "that are on events are not on comments"),
        (
            {"events": [[*ENTRIES, entry("c", ts=2)]]},
            "entries on events are of a request that has one already",
        ),
        (
            {"events": [ENTRIES[::-1]]},
            "on events stand before an earlier update of the same comment",
        ),
        ({"readings": WELL.readings[:1]}, "answered 200 were not read by the verifying group"),
        (
            {"readings": [*WELL.readings, WELL.readings[1]]},
            "were read more than once by the verifying group",
        ),
        (
            {"readings": WELL.readings[::-1]},
            "were read after a later update of the same comment",
        ),
        (
            {"progress": [GroupProgress(group="audit", stream="events", unread=("b",))]},
            "were not given to group audit on events",
        ),
        (
            {"progress": [GroupProgress(group="audit", stream="events", in_hand=("b",))]},
            "are in the hands of group audit on events",
        ),
        (
            {"progress": [GroupProgress(group="audit", stream="events", dead=("b",))]},
            "are dead letters of group audit on events",
        ),
        (
            {"after": balance(sheet(given=None, handled=1))},
            "went past group audit on events: never handled, dead or waiting",
        ),
        (
            {"after": balance(sheet(), missing=[Missing(where="redis", count=1)])},
            "more are missing in the balance than before (redis)",
        ),
        ({"after": balance()}, "group is gone: audit on events"),
    ],
)
def test_each_way_of_missing_is_found(change: dict[str, Any], what: str) -> None:
    (fault,) = faults_of(replace(WELL, **change))

    assert (fault.what, fault.count) == (what, 1)


def test_where_nobody_enriches_comments_are_not_looked_for() -> None:
    assert faults_of(replace(WELL, comments=None)) == []


def test_a_delivery_of_a_load_is_one_of_the_sandbox() -> None:
    body = body_of(
        "comment.updated", portal=LOAD_PORTAL, ts=1_766_000_000, subject_id=9_000_000_001
    )

    assert body_writer(LOAD_PORTAL)(9_000_000_001, 1_766_000_000) == body
