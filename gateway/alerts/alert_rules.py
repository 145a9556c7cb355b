"""Decides what operators are alerted to. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from gateway.balance.sheet import Balance
from gateway.contract.alerts import AlertData
from gateway.ops.group_standings import GroupStanding

__all__ = ["RepeatedLooks", "conditions"]

_ENDS_BELOW: Final = 0.5
"""That a group is behind ends at half of what it begins at, so that it does not flutter."""
_LOOKS: Final = 2
"""In as many looks in a row a condition is there, or is gone, before anybody is told."""


def conditions(
    groups: Iterable[GroupStanding],
    balance: Balance,
    *,
    behind_s: float,
    lasting: Collection[str],
    now: str,
) -> dict[str, AlertData]:
    """What is not well now, each under a name of its own; `lasting` are the names of before.

    A group is behind whose oldest entry is older than `behind_s`, unless it is paused as a whole.
    """
    found = dict(_of_balance(balance, now))
    for (stream, group), some in _by_group(groups).items():
        name = f"group_behind {group} {stream}"
        oldest_s = max(max(one.oldest_pending_s, one.oldest_waiting_s) for one in some)
        is_paused = any(pause.is_whole for pause in some[0].pauses)
        if not is_paused and oldest_s > behind_s * (_ENDS_BELOW if name in lasting else 1):
            found[name] = AlertData(
                alert="group_behind",
                since=now,
                count=sum(one.lag + one.pending for one in some),
                group=group,
                stream=stream,
                oldest_s=round(oldest_s),
            )
        if count := sum(one.dead_letters for one in some):
            # One place for those of both streams.
            found[f"dead_letters {group}"] = AlertData(
                alert="dead_letters", since=now, count=count, group=group
            )
    return found


def _of_balance(balance: Balance, now: str) -> Iterator[tuple[str, AlertData]]:
    if balance.open:
        where = tuple(f"{one.open}: {one.where}" for one in balance.missing if one.open)
        yield (
            "balance_open",
            AlertData(alert="balance_open", since=now, count=balance.open, where=where),
        )


def _by_group(found: Iterable[GroupStanding]) -> Mapping[tuple[str, str], list[GroupStanding]]:
    groups: dict[tuple[str, str], list[GroupStanding]] = {}
    for one in found:
        groups.setdefault((one.stream, one.group), []).append(one)
    return groups


class RepeatedLooks:
    """Counts in how many looks in a row what is there differs from what was told."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def changes(
        self, found: Collection[str], lasting: Collection[str]
    ) -> tuple[list[str], list[str]]:
        """Which of what is there has begun, and which of what lasts is over, by now for sure."""
        differing = {*found} ^ {*lasting}
        self._counts = {name: self._counts.get(name, 0) + 1 for name in sorted(differing)}
        sure = [name for name, count in self._counts.items() if count >= _LOOKS]
        return [name for name in sure if name in found], [name for name in sure if name in lasting]
