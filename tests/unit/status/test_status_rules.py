"""What is not well, and which command goes on from there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.balance.sheet import Balance, Missing, door_sheet
from gateway.contract import EventSelection, Pause, PortalData
from gateway.drill_record import DrillRecord, FaultOutcome
from gateway.status.admin_addresses import ProbedProcess
from gateway.status.group_summary import GroupTrend
from gateway.status.status_rules import LATE_S, faults_of
from tests.unit.status.looks import (
    GROUP,
    RECEIVER,
    RECONCILE,
    SERVER,
    SPOOL,
    consumer,
    look,
    process,
)

STILL = GroupTrend(unhandled_per_s=0.0, handled_per_s=0.0)
SLOW = GroupTrend(unhandled_per_s=12.5, handled_per_s=3.0)
CATCHING_UP = GroupTrend(unhandled_per_s=-12.5, handled_per_s=13.0)
LATE: dict[str, Any] = {"waiting": 1200, "in_hand": 3, "oldest_s": LATE_S + 1}


DRILL = DrillRecord(
    id="0123abcd",
    at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    version="2.0.0",
    host="a-host",
    redis="Redis at 127.0.0.1:6379",
    took_s=60.0,
    rate=20.0,
    is_whole=True,
    outcomes=(
        FaultOutcome(fault="redis-away"),
        FaultOutcome(fault="spool-full", wrong=("lost: 2",)),
    ),
)
OPEN = Balance(
    at_ms=1,
    door=door_sheet({}, published=0, once=0, now_ms=1)[0],
    groups=(),
    missing=(Missing(where="redis", count=9, written_off=2),),
)


def told(**seen: object) -> list[tuple[str, str]]:
    return [(one.what, one.remedy) for one in faults_of(look(**seen), memory_share=0.9)]


def spool(**state: object) -> Any:
    more = {"oldest_s": state.pop("oldest_s")} if "oldest_s" in state else {}
    return [replace(SPOOL, state=replace(SPOOL.state, **state), **more)]


def test_nothing_is_told_of_what_is_well() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("seen", "what", "remedy"),
    [
        ({"processes": [RECONCILE]}, "no receiver runs", "gateway serve"),
        ({"processes": [RECEIVER]}, "nobody looks after the portals", "gateway reconcile"),
        ({"processes": None, "unknown": {"processes": "denies it: no"}}, "processes", "doctor"),
        ({"servers": [replace(SERVER, share=0.95)]}, "95% of its memory", "gateway groups"),
        ({"servers": [replace(SERVER, policy="allkeys-lru")]}, "allkeys-lru", "noeviction"),
        ({"servers": [replace(SERVER, failed=("it is loading",))]}, "it is loading", "doctor"),
        ({"drill": DRILL}, "in the last drill, spool-full: lost: 2", "gateway drill"),
        ({"spools": spool(events=2, oldest_s=11.0)}, "2 events in the spool of a-host", "spool"),
        ({"spools": spool(bytes=900)}, "90% full", "max_bytes"),
        ({"spools": spool(set_aside=1)}, "1 file of the spool", "spool recover"),
        ({"spools": [replace(SPOOL, why_not="broken")]}, "cannot be read: broken", "spool status"),
        ({"balance": OPEN}, "7 events of redis are nowhere", "gateway balance"),
        ({"groups": [replace(GROUP, unowned=(1, 3))]}, "nobody holds partition 1, 3", "run audit"),
        ({"groups": [replace(GROUP, dead_letters=2)]}, "2 dead letters", "dead list --group audit"),
        (
            {"groups": [replace(GROUP, unowned=(0, 1, 2, 3), waiting=7, oldest_s=300.0)]},
            "nobody works for group audit: 7 wait, 0 in hand, the oldest 5m00s old",
            "consumers run audit",
        ),
        (
            {"groups": [replace(GROUP, group="mine", unowned=(0, 1, 2, 3))]},
            "nobody works for group mine",
            "start a process of it",
        ),
        (
            {"groups": [replace(GROUP, group="relay-crm", unowned=(0, 1, 2, 3))]},
            "nobody works for group relay-crm",
            "consumers run relay; without its endpoint, gateway groups remove relay-crm",
        ),
        (
            {"groups": [replace(GROUP, **LATE, trend=STILL)]},
            "group audit stands still: 1,200 wait, 3 in hand",
            "gateway pending --group audit",
        ),
        (
            {"groups": [replace(GROUP, **LATE, trend=SLOW)]},
            "falls behind, by 12.5 a second",
            "more processes",
        ),
        (
            {"processes": [RECEIVER, RECONCILE, consumer(heard_s=60.0)]},
            "consumer audit on a-host (process 7) has said nothing for 1m00s",
            "process 7",
        ),
        (
            {"processes": [RECEIVER, RECONCILE, consumer(is_ready=False, why_not="a\nb")]},
            "consumer audit on a-host (process 7) is not ready: a b",
            "read the log",
        ),
    ],
)
def test_what_is_not_well_is_told_with_what_to_do(
    seen: dict[str, Any], what: str, remedy: str
) -> None:
    (fault,) = told(**seen)

    assert what in fault[0]
    assert remedy in fault[1]


def test_a_group_that_is_let_wait_is_told_as_such_and_not_as_standing_still() -> None:
    whole = Pause(selection=EventSelection(), since="2026-01-31T12:00:00Z")

    assert told(groups=[replace(GROUP, **LATE, trend=STILL, pauses=(whole,))]) == [
        (
            "group audit is paused: the whole group, since 2026-01-31T12:00:00Z",
            "gateway groups resume audit",
        )
    ]


def test_a_group_that_lets_a_portal_wait_may_stand_still_besides() -> None:
    part = Pause(selection=EventSelection(portal="m1"), since="2026-01-31T12:00:00Z")

    paused, still = told(groups=[replace(GROUP, **LATE, trend=STILL, pauses=(part,))])

    assert paused[1] == "gateway groups resume audit --portal m1"
    assert still[0].startswith("group audit stands still")


def test_a_group_that_is_late_and_catches_up_needs_nobody() -> None:
    assert told(groups=[replace(GROUP, **LATE, trend=CATCHING_UP)]) == []


def test_a_group_is_not_judged_by_what_came_a_moment_ago() -> None:
    assert told(groups=[replace(GROUP, waiting=9, oldest_s=LATE_S - 1, trend=STILL)]) == []
    assert told(spools=spool(events=2, oldest_s=9.0)) == []


def test_a_silent_receiver_is_no_receiver() -> None:
    whats = [what for what, _ in told(processes=[process("receiver", heard_s=99.0), RECONCILE])]

    assert whats[0] == "no receiver runs: nobody takes what portals send"
    assert "receiver on a-host" in whats[1]


def test_while_redis_is_away_the_rest_is_told_as_far_as_it_is_known() -> None:
    away = told(
        redis_why_not="does not answer: refused",
        servers=None,
        groups=None,
        processes=None,
        portals=None,
        spools=spool(events=2, oldest_s=11.0),
        probes=[
            ProbedProcess(name="receiver", address="h:1", answers=True, is_ready=True),
            ProbedProcess(name="reconcile", address="h:2", answers=False),
            ProbedProcess(
                name="audit", address="h:3", answers=True, is_ready=False, why_not="not\nread"
            ),
        ],
    )

    assert [what for what, _ in away] == [
        "Redis at 127.0.0.1:6379 does not answer: refused",
        "no reconcile answers at h:2",
        "audit at h:3 is not ready: not read",
        "2 events in the spool of a-host (/var/spool), the oldest for 11s",
    ]


def test_troubles_of_many_portals_are_counted() -> None:
    portals = [
        PortalData(
            member_id=f"m{number}",
            domain=f"p{number}.example",
            trouble="silent",
            since="2026-01-31T12:00:00Z",
        )
        for number in range(8)
    ]

    *some, last = told(portals=portals)

    assert some[0] == (
        "portal p0.example is silent, since 2026-01-31T12:00:00Z",
        "gateway portals check --portal m0",
    )
    assert last == ("3 more troubles of portals", "gateway portals check")
