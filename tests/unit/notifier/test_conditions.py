from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from consumers.notifier.conditions import Matcher, is_echo
from consumers.notifier.routes import Route, routes_for
from consumers.notifier.samples import samples
from gateway.contract import (
    COMMENT_DELETED,
    COMMENT_UPDATED,
    Comment,
    CommentData,
    CommentEvent,
    OtherEvent,
    decode_event,
)
from gateway.settings import NotifierSettings, RouteSettings

COMMENT = Comment(
    state="present",
    text="[b]Urgent[/b]: call",
    text_plain="Urgent: call the  client about C++",
    author_id=7,
    entity_type="deal",
    entity_id=2,
)


def event(event_type: str = COMMENT_UPDATED, comment: Comment | None = COMMENT) -> CommentEvent:
    return CommentEvent(
        id="01936b2e-0000-7000-8000-000000000001",
        source="urn:bitrix24:portal",
        type=event_type,  # type: ignore[arg-type]  # one of the three
        subject="comment/999",
        time="2025-12-18T08:18:53Z",
        receivedat="2025-12-18T08:18:53.412Z",
        data=CommentData(
            comment_id=999,
            member_id="portal",
            domain="acme.bitrix24.com",
            user_id=9,
            comment=UNSET if comment is None else comment,
        ),
    )


def route(**conditions: Any) -> RouteSettings:
    return RouteSettings(urls=("json://example.com/",), **conditions)


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"events": ("*.deleted", "*.updated")},
        {"portals": ("portal",)},
        {"portals": ("other", "acme.bitrix24.com")},
        {"entity_types": ("lead", "deal")},
        {"entity_ids": (1, 2)},
        {"authors": (7,)},
        {"users": (9,)},
        {"words": ("URGENT",)},
        {"words": ("call the client",)},
        {"words": ("c++",)},
        {"words": ("never said", "client")},
    ],
    ids=str,
)
def test_an_event_that_meets_the_conditions_matches(conditions: dict[str, Any]) -> None:
    assert Matcher.of(route(**conditions)).matches(event())


@pytest.mark.parametrize(
    "conditions",
    [
        {"events": ("*.deleted",)},
        {"events": ("bitrix24.app.*",)},
        {"portals": ("other",)},
        {"entity_types": ("lead",)},
        {"entity_ids": (3,)},
        {"authors": (9,)},
        {"users": (7,)},
        {"words": ("urge",)},
        {"words": ("call the [b]",)},
        {"entity_types": ("deal",), "users": (7,)},
    ],
    ids=str,
)
def test_an_event_that_fails_one_condition_does_not_match(conditions: dict[str, Any]) -> None:
    assert not Matcher.of(route(**conditions)).matches(event())


@pytest.mark.parametrize(
    "conditions", [{"entity_types": ("deal",)}, {"authors": (7,)}, {"words": ("urgent",)}], ids=str
)
def test_a_condition_on_the_comment_does_not_hold_without_the_comment(
    conditions: dict[str, Any],
) -> None:
    assert not Matcher.of(route(**conditions)).matches(event(comment=None))


def test_an_event_of_an_unknown_type_matches_only_a_route_that_asks_for_its_type_alone() -> None:
    other = OtherEvent(
        id="1",
        source="s",
        type="bitrix24.crm.deal.updated",
        subject="deal/2",
        time="",
        receivedat="",
    )

    assert Matcher.of(route(events=("bitrix24.crm.deal.*",))).matches(other)
    assert not Matcher.of(route()).matches(other)
    assert not Matcher.of(route(events=("*",), users=(9,))).matches(other)


def test_a_trouble_of_a_portal_matches_by_its_type_and_its_portal_and_no_default_route() -> None:
    ((_, (notice,)),) = samples(("bitrix24.portal.silent",))
    silent = decode_event(notice.raw)

    assert Matcher.of(route(events=("bitrix24.portal.*",))).matches(silent)
    assert Matcher.of(route(events=("bitrix24.portal.*",), portals=("acme.bitrix24.com",))).matches(
        silent
    )
    assert not Matcher.of(route(events=("*",), portals=("other",))).matches(silent)
    assert not Matcher.of(route(events=("*",), users=(7,))).matches(silent)
    assert not Matcher.of(route(events=("*",), words=("silent",))).matches(silent)
    assert not Matcher.of(route()).matches(silent)


def test_first_stops_at_the_first_route_that_matches() -> None:
    routes = tuple(
        Route(name, Matcher.of(settings), ())
        for name, settings in {
            "deletions": route(events=("*.deleted",)),
            "acme": route(portals=("portal",)),
            "rest": route(),
        }.items()
    )

    def names(settings: NotifierSettings, given: CommentEvent) -> list[str]:
        return [found.name for found in routes_for(given, routes, settings)]

    assert names(NotifierSettings(deliver="first"), event()) == ["acme"]
    assert names(NotifierSettings(deliver="all"), event()) == ["acme", "rest"]
    assert names(NotifierSettings(deliver="first"), event(COMMENT_DELETED)) == ["deletions"]
    assert names(NotifierSettings(own_users=("9",)), event()) == []


@pytest.mark.parametrize(
    ("own_users", "is_own"), [(("9",), True), (("portal/9",), True), (("other/9", "7"), False)]
)
def test_an_echo_is_an_event_of_one_of_our_own_users(
    own_users: tuple[str, ...], *, is_own: bool
) -> None:
    assert is_echo(event(), NotifierSettings(own_users=own_users)) is is_own


def test_an_event_of_nobody_is_no_echo() -> None:
    given = event()
    nobodys = replace(given, data=replace(given.data, user_id=None))

    assert not is_echo(nobodys, NotifierSettings(own_users=("9", "None")))
