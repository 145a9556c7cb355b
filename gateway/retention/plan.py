"""Up to where a stream may be trimmed, and which groups hold it. Pure."""

from msgspec import Struct

from gateway.retention.stream_state import EntryId, StreamState
from gateway.settings import Retention

__all__ = ["Holder", "Plan", "Rules", "plan_for"]


class Rules(Struct, frozen=True, kw_only=True):
    """What an operator decided."""

    keep_ms: int
    warn_held_ms: int
    non_holding: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Retention) -> "Rules":
        """From [retention]."""
        day_ms = 86_400_000
        return cls(
            keep_ms=round(settings.days * day_ms),
            warn_held_ms=round(settings.warn_held_days * day_ms),
            non_holding=frozenset(settings.non_holding_groups),
        )


class Holder(Struct, frozen=True):
    """A group that has not acknowledged an entry for long: how many (if known), and how old."""

    group: str
    held: int | None
    oldest: EntryId
    age_ms: int


class Plan(Struct, frozen=True, kw_only=True):
    """`trim_to`: every entry before this id may go; None if there is none.

    `seen` are the groups that were asked, with their places: if one has gone back since, or
    another has come, the plan is void.
    """

    trim_to: EntryId | None
    seen: tuple[tuple[str, EntryId], ...]
    holders: tuple[Holder, ...]


def plan_for(state: StreamState, rules: Rules, *, now_ms: int) -> Plan:
    """What to do about a stream; `now_ms` is the server's clock, as the ids are.

    An entry may go when it is older than `keep_ms` and every group that may hold the stream has
    acknowledged it. A stream without such a group is trimmed by age alone.
    """
    holding = [group for group in state.groups if group.name not in rules.non_holding]
    old = (max(0, now_ms - rules.keep_ms), 0)
    bound = min([old, *(group.needed_from for group in holding)])
    holders = [
        Holder(group.name, state.held(group), oldest, now_ms - oldest[0])
        for group in holding
        if (oldest := group.oldest_needed) is not None and now_ms - oldest[0] >= rules.warn_held_ms
    ]
    return Plan(
        trim_to=bound if state.first is not None and state.first < bound else None,
        seen=tuple((group.name, group.delivered) for group in holding),
        holders=tuple(holders),
    )
