"""Compares what a portal has not bound with what it had. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.bitrix24.bindings import Binding, expected
from gateway.event_subscription import EventSubscription
from gateway.portals.facts import Facts

__all__ = ["lost", "to_bind"]

_AGAIN_AFTER: Final = timedelta(days=1)
_ALWAYS_BOUND: Final = frozenset(map(str, expected("https://handler", EventSubscription())))
# What was bound in portals of which the facts do not say it: an earlier version noted them.


def to_bind(missing: Sequence[Binding], facts: Facts, *, now: datetime) -> tuple[Binding, ...]:
    """What of it is to be bound now: the queue of offline events is tried once a day at most where
    the portal refused it, because of its plan or of rights.
    """
    # A time to come, by a clock that was ahead, is no reason to wait for it.
    was_tried = facts.bound_at is not None and timedelta() <= now - facts.bound_at < _AGAIN_AFTER
    has_no_queue = was_tried and facts.queue in {"not_in_plan", "failed"}
    return tuple(one for one in missing if not (one.is_offline and has_no_queue))


def lost(missing: Sequence[Binding], facts: Facts) -> tuple[Binding, ...]:
    """What of it was bound before, by the installation that is there now: one that came since has
    just begun to bind. Events that are subscribed to since then were never there.
    """
    if facts.bound_at is None or (facts.installed_at and facts.installed_at > facts.bound_at):
        return ()
    if facts.bound:
        return tuple(one for one in missing if str(one) in facts.bound)
    return tuple(
        one
        for one in missing
        if str(one) in _ALWAYS_BOUND
        and (facts.queue == "bound" if one.is_offline else str(one) not in facts.unbound)
    )
