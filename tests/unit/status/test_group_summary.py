"""Partitions as one group, and what became of it between two looks."""

from msgspec.structs import replace

from gateway.ops.group_standings import GroupStanding
from gateway.status.group_summary import summaries

ONE = GroupStanding(
    stream="events",
    partition=0,
    group="audit",
    length=100,
    added_count=100,
    lag=0,
    pending=0,
    oldest_pending_s=0.0,
    redeliveries=0,
    dead_letters=0,
    owner="a-host:1",
    epoch=1,
    delivered_id="1-0",
)


def test_partitions_are_summed_up() -> None:
    other = replace(
        ONE,
        partition=1,
        lag=5,
        pending=2,
        oldest_pending_s=9.0,
        oldest_waiting_s=3.0,
        redeliveries=1,
        dead_letters=4,
        owner=None,
    )

    (group,) = summaries([ONE, other])

    assert (group.partitions, group.waiting, group.in_hand, group.unhandled) == (2, 5, 2, 7)
    assert (group.again, group.dead_letters, group.oldest_s) == (1, 4, 9.0)
    assert (group.unowned, group.trend) == ((1,), None)


def test_a_trend_tells_what_is_handled_from_what_came() -> None:
    before = [replace(ONE, lag=50, pending=10, added_count=100)]
    now = [replace(ONE, lag=30, pending=4, added_count=120)]

    (group,) = summaries(now, before, apart_s=2.0)

    assert group.trend is not None
    assert (group.trend.unhandled_per_s, group.trend.handled_per_s) == (-13.0, 23.0)


def test_a_group_that_does_nothing_has_handled_nothing() -> None:
    before = [replace(ONE, lag=50, added_count=100)]
    now = [replace(ONE, lag=60, added_count=110)]

    (group,) = summaries(now, before, apart_s=2.0)

    assert group.trend is not None
    assert (group.trend.unhandled_per_s, group.trend.handled_per_s) == (5.0, 0.0)


def test_groups_stand_in_the_order_of_their_streams() -> None:
    found = [replace(ONE, stream="comments"), replace(ONE, group="b"), ONE]

    assert [(one.stream, one.group) for one in summaries(found)] == [
        ("events", "audit"),
        ("events", "b"),
        ("comments", "audit"),
    ]
