"""What tells that a portal delivers everything twice."""

from msgspec.structs import replace

from consumers.testing import comment_event, entity_event
from gateway.contract import CommentEvent
from gateway.portal_health.double_delivery import handlers_of_doubles


def came(comment_id: int, handler: int | None, *, at: str = "2026-11-27T10:00:00Z") -> CommentEvent:
    event = comment_event(comment_id, member_id="m1")
    return replace(event, time=at, data=replace(event.data, event_handler_id=handler))


def test_the_same_change_by_two_handlers_is_a_double() -> None:
    assert handlers_of_doubles([came(1, 31), came(2, 31), came(1, 7)]) == {"m1": (7, 31)}


def test_two_changes_and_one_handler_are_none() -> None:
    later = came(1, 7, at="2026-11-27T10:00:01Z")
    assert handlers_of_doubles([came(1, 31), came(1, 31), later, came(1, None)]) == {}


def test_changes_of_deals_are_told_apart_as_those_of_comments() -> None:
    at = "2026-11-27T10:00:00Z"
    deal = replace(entity_event("deal/1", member_id="m1"), time=at)
    first, second = (
        replace(deal, data=replace(deal.data, event_handler_id=handler)) for handler in (31, 7)
    )
    other = replace(second, subject="deal/2")

    assert handlers_of_doubles([first, other]) == {}
    assert handlers_of_doubles([first, second]) == {"m1": (7, 31)}
