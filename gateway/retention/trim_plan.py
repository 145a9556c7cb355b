"""Decides up to where a stream may be trimmed, and which groups hold it. Pure."""

from typing import Final

from msgspec import Struct

from gateway.contract import EntryId
from gateway.retention.stream_state import GroupState, StreamState
from gateway.settings import RetentionSettings

__all__ = ["Holder", "TrimPlan", "TrimRules", "early_plan_for", "fillers", "plan_for"]

_BEGIN_AT: Final = 0.9
_END_AT: Final = 0.85
# Of the share from which on new events wait in the spool. Between the former and the gate a server
# of 1 GB has room for 60,000 events: what comes in before the next look, a second later.
_IN_FLIGHT: Final = 1000
# A group that keeps up holds some entries at every moment, and none of them for long.


class TrimRules(Struct, frozen=True, kw_only=True):
    """What an operator decided.

    From the share `early_from` of a server's memory on, what has been handled goes before its time,
    until the share is `early_to`; None: never.
    """

    keep_ms: int
    warn_held_ms: int
    non_holding: frozenset[str] = frozenset()
    early_from: float | None = None
    early_to: float = 0.0

    @classmethod
    def of(cls, settings: RetentionSettings) -> "TrimRules":
        """From [retention]."""
        day_ms = 86_400_000
        return cls(
            keep_ms=round(settings.days * day_ms),
            warn_held_ms=round(settings.warn_held_days * day_ms),
            non_holding=frozenset(settings.non_holding_groups),
            early_from=None if settings.days_first else settings.max_memory_share * _BEGIN_AT,
            early_to=settings.max_memory_share * _END_AT,
        )


class Holder(Struct, frozen=True):
    """A group that has not acknowledged an entry for long: how many (if known), and how old."""

    group: str
    held: int | None
    oldest: EntryId
    age_ms: int


class TrimPlan(Struct, frozen=True, kw_only=True):
    """`trim_to`: every entry before this id may go; None if there is none.

    `seen` are the groups that were asked, with their places: if one has gone back since, or
    another has come, the plan is void.
    """

    trim_to: EntryId | None
    seen: tuple[tuple[str, EntryId], ...]
    holders: tuple[Holder, ...]


def plan_for(state: StreamState, rules: TrimRules, *, now_ms: int) -> TrimPlan:
    """What to do about a stream; `now_ms` is the server's clock, as the ids are.

    An entry may go when it is older than `keep_ms` and every group that may hold the stream has
    acknowledged it. A stream without such a group is trimmed by age alone.
    """
    holding = _holding(state, rules)
    old = EntryId(max(0, now_ms - rules.keep_ms))
    bound = min([old, *(group.needed_from for group in holding)])
    holders = [
        Holder(group.name, state.held(group), oldest, now_ms - oldest.ms)
        for group in holding
        if (oldest := group.oldest_needed) is not None and now_ms - oldest.ms >= rules.warn_held_ms
    ]
    return TrimPlan(
        trim_to=bound if state.first is not None and state.first < bound else None,
        seen=tuple((group.name, group.delivered) for group in holding),
        holders=tuple(holders),
    )


def early_plan_for(state: StreamState, rules: TrimRules) -> TrimPlan:
    """What may go whatever its age: what every group that may hold the stream has acknowledged.

    Nothing of a stream that no group reads: nobody has handled it.
    """
    holding = _holding(state, rules)
    bound = min((group.needed_from for group in holding), default=state.last.next)
    has_readers = bool(state.groups)
    return TrimPlan(
        trim_to=bound if has_readers and state.first is not None and state.first < bound else None,
        seen=tuple((group.name, group.delivered) for group in holding),
        holders=(),
    )


def fillers(state: StreamState, rules: TrimRules) -> dict[str, int | None]:
    """The groups whose unacknowledged entries fill a server, and how many those are, if known.

    Under the name "" all entries of a stream that no group reads.
    """
    if not state.groups:
        return {"": state.length} if state.length else {}
    held = {group.name: state.held(group) for group in _holding(state, rules)}
    return {name: count for name, count in held.items() if count is None or count > _IN_FLIGHT}


def _holding(state: StreamState, rules: TrimRules) -> list[GroupState]:
    return [group for group in state.groups if group.name not in rules.non_holding]
