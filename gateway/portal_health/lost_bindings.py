"""Compares what a portal has not bound with what it had. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.bitrix24.bindings import Binding, digest_of_wanted, expected
from gateway.event_subscription import EventSubscription
from gateway.portals.facts import Facts

__all__ = ["lost", "to_bind"]

_AGAIN_AFTER: Final = timedelta(days=1)
_WANTED_ONCE: Final = digest_of_wanted(expected("https://handler", EventSubscription()))
# What was wanted where the facts do not say it: an earlier version noted them.


def to_bind(missing: Sequence[Binding], facts: Facts, *, now: datetime) -> tuple[Binding, ...]:
    """What of it is to be bound now: the queue of offline events is tried once a day at most where
    the portal refused it, because of its plan or of rights.
    """
    # A time to come, by a clock that was ahead, is no reason to wait for it.
    was_tried = facts.bound_at is not None and timedelta() <= now - facts.bound_at < _AGAIN_AFTER
    has_no_queue = was_tried and facts.queue in {"not_in_plan", "failed"}
    return tuple(one for one in missing if not (one.is_offline and has_no_queue))


def lost(
    missing: Sequence[Binding], facts: Facts, wanted: Sequence[Binding]
) -> tuple[Binding, ...]:
    """What of it was bound before, by the installation that is there now: one that came since has
    just begun to bind. Where other events were wanted then, nothing is known to be lost.
    """
    if facts.bound_at is None or (facts.installed_at and facts.installed_at > facts.bound_at):
        return ()
    if (facts.wanted or _WANTED_ONCE) != digest_of_wanted(wanted):
        return ()
    return tuple(
        one
        for one in missing
        if str(one) not in facts.unbound and (facts.queue == "bound" or not one.is_offline)
    )
