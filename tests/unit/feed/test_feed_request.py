"""What somebody asks for is understood, or refused in a sentence that helps."""

from typing import Any

import pytest
from multidict import CIMultiDict, MultiDict

from consumers.feed.cursor import Cursors, ReadPlace, UnusableCursor
from consumers.feed.feed_request import FeedRequest
from consumers.feed.scope import OutsideScope, Scope, UnusableFilter
from gateway.contract import EntryId

CURSORS = Cursors("b24:comments", 1)
PLACES = (ReadPlace(EntryId(5, 1), 3),)


def asked(query: list[tuple[str, str]], scope: Scope | None = None, **headers: str) -> FeedRequest:
    fields: Any = {name.replace("_", "-"): value for name, value in headers.items()}
    return FeedRequest.of(
        MultiDict(query), CIMultiDict(fields), scope=scope or Scope(), cursors=CURSORS
    )


def test_who_says_nothing_gets_what_is_new_and_does_not_wait() -> None:
    assert asked([]) == FeedRequest(start="newest", scope=Scope(), limit=100, wait_s=0)


def test_a_client_that_comes_again_goes_on_where_it_was() -> None:
    cursor = CURSORS.written(PLACES)

    assert asked([("after", cursor)]).start == PLACES
    assert asked([("after", "oldest")], Last_Event_ID=cursor).start == PLACES
    assert asked([("after", "oldest")], Last_Event_ID="").start == "oldest"


def test_types_and_portals_come_together_or_one_by_one() -> None:
    found = asked([("types", "*.a, *.b"), ("types", "*.c"), ("portal", "one,two")])

    assert found.scope == Scope(
        types=frozenset({"*.a", "*.b", "*.c"}), portals=frozenset({"one", "two"})
    )


def test_what_is_more_than_there_can_be_is_the_most() -> None:
    found = asked([("limit", "5000"), ("wait", "3600")])

    assert (found.limit, found.wait_s) == (1000, 60)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", "9" * 5000),
        ("wait", "-1"),
        ("wait", "٣"),
        ("type", "bitrix24.crm.*"),
        ("types", "a|b"),
        ("types", "crm.deal.*"),
        ("types", "onCrmDealUpdate"),
        ("types", "bitrix24"),
    ],
)
def test_what_means_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(UnusableFilter, match=name):
        asked([(name, value)])


def test_what_is_there_twice_is_refused() -> None:
    with pytest.raises(UnusableFilter, match="after is there 2 times"):
        asked([("after", "oldest"), ("after", "newest")])


def test_a_cursor_of_elsewhere_is_refused() -> None:
    with pytest.raises(UnusableCursor):
        asked([("after", "yesterday")])


def test_nobody_asks_for_more_than_the_token_lets_see() -> None:
    with pytest.raises(OutsideScope):
        asked([("portal", "two")], Scope(portals=frozenset({"one"})))
