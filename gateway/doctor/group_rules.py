"""Judges how the groups stand: who holds the streams, and where nobody is at work. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.doctor.finding import Finding, note, red, warning, well
from gateway.ops.group_standings import GroupStanding

__all__ = ["judge_groups"]

_DAY_S: Final = 86_400.0


def judge_groups(standings: Sequence[GroupStanding], *, warn_held_days: float) -> Iterator[Finding]:
    """One finding for each group and kind of trouble, over all its partitions."""
    by_group: dict[str, list[GroupStanding]] = defaultdict(list)
    for one in standings:
        by_group[one.group].append(one)
    if not by_group:
        yield note(
            "groups",
            "no group reads the streams: events stay until a consumer has been started",
            "start one: `consumers run audit`, or your own (docs/consumers.md)",
        )
        return
    troubles = [one for name, of in by_group.items() for one in _group(name, of, warn_held_days)]
    yield from troubles or [well("groups", f"{len(by_group)} groups work, and hold nothing up")]


def _group(name: str, of: Sequence[GroupStanding], warn_held_days: float) -> Iterator[Finding]:
    waiting = sum(
        one.lag + one.pending for one in of if one.owner is None and not one.waits_for_former
    )
    if waiting:
        yield red(
            "groups",
            f"nobody works for group {name}, and {waiting} entries wait for it",
            f"start its process (`consumers run {name}`, or the service's own); a group that is "
            "not wanted any more holds the stream until it is removed",
        )
    oldest_s = max(one.oldest_pending_s for one in of)
    if oldest_s > warn_held_days * _DAY_S:
        yield red(
            "groups",
            f"group {name} has had an entry in hand for {oldest_s / _DAY_S:.1f} days: nothing "
            "younger can be trimmed",
            f"see which, and why: `gateway pending --group {name}`",
        )
    if dead := sum(one.dead_letters for one in of):
        yield warning(
            "groups",
            f"group {name} has {dead} dead letters",
            f"`gateway dead list --group {name}`",
        )
