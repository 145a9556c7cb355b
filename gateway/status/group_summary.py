"""Sums up how a group stands on its partitions, and what became of it between two looks. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from gateway.contract import Pause
from gateway.ops.group_standings import GroupStanding

__all__ = ["GroupSummary", "GroupTrend", "summaries"]


class GroupTrend(Struct, frozen=True, kw_only=True):
    """What changed between two looks, a second: entries that wait or are in hand (negative: it
    catches up), and entries that the group is through with.
    """

    unhandled_per_s: float
    handled_per_s: float


class GroupSummary(Struct, frozen=True, kw_only=True):
    """A group on all partitions of its stream; those that it is to read by now are `partitions`.

    Entries wait that were not given to it yet; those in hand were, and are not acknowledged; those
    to come again are redeliveries. `oldest_s` is the age of the oldest of both kinds, 0 for none.
    `unowned` are partitions that no process holds, `pauses` what an operator lets wait. `trend` is
    None after a single look. `waits_for_former` is whether there are partitions with which it
    begins when it is through with former ones.
    """

    group: str
    stream: str
    partitions: int
    waiting: int
    in_hand: int
    again: int
    oldest_s: float
    dead_letters: int
    unowned: tuple[int, ...]
    pauses: tuple[Pause, ...] = ()
    trend: GroupTrend | None = None
    waits_for_former: bool = False

    @property
    def is_paused(self) -> bool:
        """Whether the whole group is let wait."""
        return any(pause.is_whole for pause in self.pauses)

    @property
    def unhandled(self) -> int:
        """Entries that it is not through with."""
        return self.waiting + self.in_hand


def summaries(
    found: Sequence[GroupStanding],
    before: Sequence[GroupStanding] = (),
    *,
    apart_s: float = 0.0,
) -> list[GroupSummary]:
    """Each group's summary, by stream and name; with its trend if it was there `before`, which was
    seen `apart_s` seconds earlier.
    """
    earlier = _by_group(before) if apart_s > 0 else {}
    return [
        _summary(some, earlier.get(key, []), apart_s)
        for key, some in sorted(_by_group(found).items(), key=lambda item: _order(*item[0]))
    ]


def _order(stream: str, group: str) -> tuple[bool, str, str]:
    return stream != "events", stream, group


def _by_group(found: Sequence[GroupStanding]) -> dict[tuple[str, str], list[GroupStanding]]:
    groups: dict[tuple[str, str], list[GroupStanding]] = {}
    for one in found:
        groups.setdefault((one.stream, one.group), []).append(one)
    return groups


def _summary(
    some: Sequence[GroupStanding], before: Sequence[GroupStanding], apart_s: float
) -> GroupSummary:
    waits = any(one.waits_for_former for one in some)
    due = [one for one in some if _is_due(one, waits=waits)]
    return GroupSummary(
        group=some[0].group,
        stream=some[0].stream,
        partitions=len(due),
        waiting=sum(one.lag for one in some),
        in_hand=sum(one.pending for one in some),
        again=sum(one.redeliveries for one in some),
        oldest_s=max(max(one.oldest_pending_s, one.oldest_waiting_s) for one in some),
        dead_letters=sum(one.dead_letters for one in some),
        unowned=tuple(one.partition for one in due if one.owner is None),
        pauses=some[0].pauses,
        trend=_trend(some, before, apart_s) if before else None,
        waits_for_former=waits,
    )


def _is_due(one: GroupStanding, *, waits: bool) -> bool:
    """Whether somebody has to hold a partition now: a former one, only for what is left there."""
    if one.is_former and not waits:
        return bool(one.lag or one.pending or one.redeliveries)
    return not one.waits_for_former


def _trend(
    some: Sequence[GroupStanding], before: Sequence[GroupStanding], apart_s: float
) -> GroupTrend:
    change = _unhandled(some) - _unhandled(before)
    added = sum(one.added_count for one in some) - sum(one.added_count for one in before)
    return GroupTrend(
        unhandled_per_s=change / apart_s, handled_per_s=max(0.0, (added - change) / apart_s)
    )


def _unhandled(some: Sequence[GroupStanding]) -> int:
    return sum(one.lag + one.pending for one in some)
