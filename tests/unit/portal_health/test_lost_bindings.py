"""What is bound again, and what of it the portal had lost."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.bitrix24.bindings import Binding, digest_of_wanted, expected
from gateway.event_subscription import EventSubscription
from gateway.portal_health.lost_bindings import lost, to_bind
from gateway.portals.facts import Facts
from gateway.settings import EventSettings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WANTED = expected("https://gateway.example/bitrix24/events", EventSubscription())
ONLINE = tuple(one for one in WANTED if not one.is_offline)
OFFLINE = tuple(one for one in WANTED if one.is_offline)


def facts(*, hours_ago: float = 1, **more: object) -> Facts:
    return Facts(bound_at=NOW - timedelta(hours=hours_ago), **more)  # type: ignore[arg-type]


def test_whatever_is_missing_is_bound() -> None:
    assert to_bind(WANTED, facts(queue="bound"), now=NOW) == WANTED
    assert to_bind(WANTED, Facts(), now=NOW) == WANTED
    assert to_bind((), Facts(), now=NOW) == ()


def test_a_queue_that_was_refused_is_asked_for_again_after_a_day() -> None:
    for queue in ("not_in_plan", "failed"):
        assert to_bind(WANTED, facts(queue=queue), now=NOW) == ONLINE
        assert to_bind(OFFLINE, facts(queue=queue), now=NOW) == ()
        assert to_bind(OFFLINE, facts(queue=queue, hours_ago=25), now=NOW) == OFFLINE
        assert to_bind(OFFLINE, facts(queue=queue, hours_ago=-9000), now=NOW) == OFFLINE


def of(facts: Facts) -> tuple[Binding, ...]:
    return lost(WANTED, facts, WANTED)


@pytest.mark.parametrize("wanted", ["", digest_of_wanted(WANTED)])
def test_only_what_was_bound_before_is_lost(wanted: str) -> None:
    assert of(Facts()) == ()
    assert of(facts(queue="bound", wanted=wanted)) == WANTED
    assert of(facts(queue="not_in_plan", wanted=wanted)) == ONLINE
    assert of(facts(queue="bound", installed_at=NOW, wanted=wanted)) == ()
    earlier = NOW - timedelta(hours=2)
    assert of(facts(queue="bound", installed_at=earlier, wanted=wanted)) == WANTED
    never = {str(ONLINE[0]): "Access denied", str(OFFLINE[0]): "Access denied"}
    left = facts(queue="bound", unbound=never, wanted=wanted)
    assert of(left) == (*ONLINE[1:], *OFFLINE[1:])


def test_what_is_subscribed_to_since_then_is_missing_and_not_lost() -> None:
    names = ("onCrmTimelineComment*", "onCrmDeal*")
    subscription = EventSubscription([EventSettings(name=name) for name in names])
    more = expected("https://gateway.example/bitrix24/events", subscription)

    for wanted in ("", digest_of_wanted(WANTED)):
        noted = facts(queue="bound", wanted=wanted)
        assert to_bind(more, noted, now=NOW) == more
        assert lost(more, noted, more) == ()
    assert lost(more, facts(queue="bound", wanted=digest_of_wanted(more)), more) == more
