"""A token lets see what it names, and nobody gets more by asking."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feed.scope import OutsideScope, Scope, ScopeMatcher, UnusableFilter
from gateway.contract import may_be_published

PATTERNS = st.builds(
    str.__add__,
    st.sampled_from(["", "bitrix24."]),
    st.text(alphabet="ab.*", min_size=1, max_size=6),
).filter(may_be_published)
TYPES = st.text(alphabet="ab.", min_size=1, max_size=6).map("bitrix24.{}".format)
DEALS = Scope(
    portals=frozenset({"one", "two"}), types=frozenset({"bitrix24.crm.deal.*"}), has_texts=True
)


def has(scope: Scope, event_type: str, member_id: str) -> bool:
    return ScopeMatcher(scope).has(event_type, member_id)


def test_a_scope_without_anything_is_all_events_without_texts() -> None:
    assert has(Scope(), "bitrix24.crm.deal.updated", "any")
    assert not Scope().has_texts


def test_an_event_has_to_be_of_a_portal_and_of_a_type() -> None:
    assert has(DEALS, "bitrix24.crm.deal.updated", "one")
    assert not has(DEALS, "bitrix24.crm.deal.updated", "three")
    assert not has(DEALS, "bitrix24.crm.lead.updated", "one")


def test_the_answer_about_a_type_is_the_same_when_it_is_remembered() -> None:
    matcher = ScopeMatcher(DEALS)

    for _ in range(2):
        assert matcher.has("bitrix24.crm.deal.updated", "one")
        assert not matcher.has("bitrix24.crm.lead.updated", "one")


def test_who_asks_for_nothing_in_particular_gets_the_whole_scope() -> None:
    assert DEALS.narrowed(types=[], portals=[]) == DEALS


def test_who_asks_for_less_gets_less() -> None:
    asked = DEALS.narrowed(types=["bitrix24.crm.deal.added"], portals=["two"])

    assert has(asked, "bitrix24.crm.deal.added", "two")
    assert not has(asked, "bitrix24.crm.deal.updated", "two")
    assert not has(asked, "bitrix24.crm.deal.added", "one")
    assert asked.has_texts


@pytest.mark.parametrize("types", ["bitrix24.crm.lead.updated", "bitrix24.crm.*", "*", "*deal*"])
def test_who_asks_for_a_type_outside_is_told_so(types: str) -> None:
    with pytest.raises(OutsideScope, match="does not let see events of type"):
        DEALS.narrowed(types=[types], portals=[])


def test_who_asks_for_a_portal_outside_is_told_so() -> None:
    with pytest.raises(OutsideScope, match="does not let see portal three"):
        DEALS.narrowed(types=[], portals=["one", "three"])


@pytest.mark.parametrize("types", ["[a]", "?", "a b", "x" * 300, "é"])
def test_what_is_no_pattern_is_refused(types: str) -> None:
    with pytest.raises(UnusableFilter, match="types"):
        Scope().narrowed(types=[types], portals=[])


def test_what_is_no_portal_is_refused() -> None:
    with pytest.raises(UnusableFilter, match="portal"):
        Scope().narrowed(types=[], portals=["*"])


def test_a_long_list_is_refused() -> None:
    with pytest.raises(UnusableFilter, match="too many"):
        Scope().narrowed(types=[f"t{number}" for number in range(101)], portals=[])


@given(st.lists(PATTERNS, min_size=1, max_size=3), PATTERNS, TYPES)
def test_nothing_that_is_asked_for_is_outside(
    patterns: list[str], asked: str, event_type: str
) -> None:
    scope = Scope(types=frozenset(patterns))
    try:
        narrowed = scope.narrowed(types=[asked], portals=[])
    except OutsideScope:
        return
    if has(narrowed, event_type, "any"):
        assert fnmatchcase(event_type, asked)
        assert has(scope, event_type, "any")
