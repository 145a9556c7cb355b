"""Makes of samples what can be drawn: how much a second, and how long it took. Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.contract import timestamps
from gateway.history.sample_ring import HOUR_MS, SLOT_MS, GroupSample, HistorySample

__all__ = ["GroupPoint", "HourPoint", "LastHour", "last_hour", "quantile"]

_GAP_MS: Final = 3 * SLOT_MS
"""Between two samples that are further apart, nobody looked: nothing is said of that time."""


class GroupPoint(Struct, frozen=True, kw_only=True):
    """A group at a moment: entries that it was not given, that it has in hand, and how many a
    second it was through with since the point before. None: not known.
    """

    group: str
    stream: str
    waiting: int | None
    in_hand: int
    handled_per_s: float | None


class HourPoint(Struct, frozen=True, kw_only=True):
    """What was at a moment (Unix ms, by the clock of Redis), and since the point before.

    `answer_s` and `slow_answer_s` are the times within which half, and 95 %, of the batches were
    stored, by interpolation within the buckets of b24gw_store_seconds. None: nothing was, or it is
    not known.
    """

    at_ms: int
    accepted_per_s: float | None
    answer_s: float | None
    slow_answer_s: float | None
    groups: tuple[GroupPoint, ...]


class LastHour(Struct, frozen=True, kw_only=True):
    """The points of the hour up to `until`; those before and after a gap have the gap between."""

    since: str
    until: str
    points: Sequence[HourPoint]


def last_hour(
    samples: Sequence[HistorySample], *, now_ms: int, bounds_s: Sequence[float]
) -> LastHour:
    """The hour before `now_ms`, by samples in order; `bounds_s` are those of their answers."""
    points = []
    before: HistorySample | None = None
    for one in samples:
        if one.at_ms > now_ms + SLOT_MS:
            continue  # the clock was put back
        follows = before is not None and 0 < one.at_ms - before.at_ms <= _GAP_MS
        if one.at_ms > now_ms - HOUR_MS:
            points.append(_point(one, before if follows else None, bounds_s))
        before = one
    return LastHour(
        since=timestamps.milliseconds(now_ms - HOUR_MS),
        until=timestamps.milliseconds(now_ms),
        points=points,
    )


def _point(
    one: HistorySample, before: HistorySample | None, bounds_s: Sequence[float]
) -> HourPoint:
    apart_s = 0.0 if before is None else (one.at_ms - before.at_ms) / 1000
    earlier = {} if before is None else {(was.group, was.stream): was for was in before.groups}
    return HourPoint(
        at_ms=one.at_ms,
        accepted_per_s=None if before is None else max(0, one.accepted - before.accepted) / apart_s,
        answer_s=quantile(one.answers, bounds_s, 0.5),
        slow_answer_s=quantile(one.answers, bounds_s, 0.95),
        groups=tuple(
            _group(now, earlier.get((now.group, now.stream)), apart_s) for now in one.groups
        ),
    )


def _group(now: GroupSample, before: GroupSample | None, apart_s: float) -> GroupPoint:
    return GroupPoint(
        group=now.group,
        stream=now.stream,
        waiting=now.waiting,
        in_hand=now.in_hand,
        handled_per_s=None if before is None else max(0, now.settled - before.settled) / apart_s,
    )


def quantile(counts: Sequence[int], bounds_s: Sequence[float], share: float) -> float | None:
    """Within which time so great a share of what was counted was done, in seconds.

    `counts` has one more than there are bounds: what took longer than the last one, of which no
    more is known than that. None if nothing was counted.
    """
    wanted, seen, lower = share * sum(counts), 0, 0.0
    if not wanted:
        return None
    for count, bound in zip(counts, bounds_s, strict=False):
        if seen + count >= wanted:
            return lower + (bound - lower) * (wanted - seen) / count
        seen, lower = seen + count, bound
    return lower
