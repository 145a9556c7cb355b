"""Who may send with what, and that comparing tells nothing."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OperatorError
from gateway.portals import application_tokens
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal, portals_of, shown_portals_of
from gateway.settings import PortalSettings


def portal(member_id: str, *tokens: str, domain: str = "acme.bitrix24.com") -> Portal:
    return Portal(member_id=member_id, domain=domain, digests=tuple(map(digest_of, tokens)))


TWO = Directory([portal("one", "fake-a", "fake-b", "fake-c"), portal("two", "fake-d")])


@pytest.mark.parametrize(
    ("member_id", "token", "is_let_in"),
    [
        ("one", "fake-a", True),
        ("one", "fake-c", True),
        ("two", "fake-d", True),
        ("two", "fake-a", False),
        ("one", "fake", False),
        ("one", "", False),
        ("one", None, False),
        ("three", "fake-a", False),
        ("three", "", False),
        ("", "", False),
    ],
)
def test_only_a_portals_own_tokens_let_it_in(
    member_id: str,
    token: str | None,
    is_let_in: bool,  # noqa: FBT001
) -> None:
    assert (TWO.verify(member_id, token) is not None) is is_let_in


def test_a_portal_without_tokens_never_gets_in() -> None:
    directory = Directory([portal("bare"), portal("one", "fake-a")])

    assert all(directory.verify("bare", token) is None for token in ("", None, "fake-a"))


@pytest.mark.parametrize(
    ("member_id", "token"),
    [("one", "fake-a"), ("one", "fake-c"), ("one", "wrong"), ("two", "fake-d"), ("nobody", "x")],
)
def test_everybody_is_compared_as_often_whatever_matches(
    member_id: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(application_tokens, "compare_digest", counting)

    TWO.verify(member_id, token)

    assert compared == [(32, 32)] * 3


def test_what_is_learnt_adds_to_the_settings_and_replaces_what_was_learnt_before() -> None:
    directory = Directory([portal("one", "fake-a", domain="settings.example")])

    directory.learn([portal("one", "fake-b", domain="learnt.example"), portal("two", "fake-c")])

    assert directory.verify("one", "fake-a")
    found = directory.verify("one", "fake-b")
    assert found is not None
    assert found.domain == "settings.example"
    assert len(directory) == 2

    directory.learn([])

    assert directory.verify("one", "fake-a")
    assert directory.verify("one", "fake-b") is None
    assert [one.member_id for one in directory] == ["one"]


names = st.sampled_from(["m1", "m2", "m3"])
tokens = st.sampled_from(["", "fake-1", "fake-2", "fake-3"])
portals = st.lists(
    st.builds(lambda name, given: portal(name, *given), names, st.lists(tokens, max_size=3)),
    max_size=4,
)


@given(portals, portals, names, tokens)
def test_a_claim_holds_if_and_only_if_somebody_registered_it(
    settled: list[Portal], learnt: list[Portal], member_id: str, token: str
) -> None:
    directory = Directory(settled)
    directory.learn(learnt)

    is_registered = any(
        one.member_id == member_id and digest_of(token) in one.digests
        for one in (*settled, *learnt)
    )
    assert (directory.verify(member_id, token) is not None) == (is_registered and token != "")


@given(portals, portals, portals, names, tokens)
def test_portals_that_are_learnt_one_by_one_are_those_that_are_learnt_at_once(
    settled: list[Portal],
    before: list[Portal],
    after: list[Portal],
    member_id: str,
    token: str,
) -> None:
    after = list({one.member_id: one for one in after}.values())
    at_once, by_turns = Directory(settled), Directory(settled)
    at_once.learn(after)
    by_turns.learn(before)

    for one in after:
        by_turns.learn_some([one])
    by_turns.forget_others({one.member_id for one in after})

    assert set(by_turns) == set(at_once)
    assert by_turns.verify(member_id, token) == at_once.verify(member_id, token)


def test_a_portal_with_more_tokens_than_any_widens_what_every_claim_is_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = Directory([portal("one", "fake-a")])
    directory.learn_some([portal("two", "fake-b", "fake-c", "fake-d")])
    compared = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(application_tokens, "compare_digest", counting)
    for member_id in ("one", "two", "nobody"):
        directory.verify(member_id, "fake-a")

    assert len(compared) == 3 * 3


@pytest.mark.parametrize("reference", ["env:FAKE_UNSET_TOKEN", "file:/nowhere/token", ""])
def test_a_token_that_is_missing_or_empty_stops_the_start(reference: str) -> None:
    settings = PortalSettings(member_id="m1", domain="m1.example", application_tokens=(reference,))

    with pytest.raises(OperatorError, match=r"\[\[portals\]\] m1"):
        portals_of([settings])


def test_whoever_looks_at_portals_needs_no_token_of_theirs_and_lets_nobody_in() -> None:
    reference = "env:FAKE_UNSET_TOKEN"
    settings = PortalSettings(
        member_id="m1", domain="m1.example", application_tokens=(reference, "fake-b")
    )

    (shown,) = shown_portals_of([settings])

    assert len(shown.digests) == 2
    assert Directory([shown]).verify("m1", reference) is None
    assert Directory([shown]).verify("m1", "fake-b") == shown


@given(portals, portals, portals, names, tokens)
def test_other_portals_of_the_settings_count_as_those_of_the_start(
    before: list[Portal], now: list[Portal], learnt: list[Portal], member_id: str, token: str
) -> None:
    """And whoever may send before and afterwards may do so at each moment in between."""
    learnt = list({one.member_id: one for one in learnt}.values())
    settled_late, expected = Directory(before), Directory(now)
    settled_late.learn(learnt)
    expected.learn(learnt)
    might_before = settled_late.verify(member_id, token) is not None
    may_now = expected.verify(member_id, token) is not None
    moments = []

    settled_late.settle(now)
    moments.append(settled_late.verify(member_id, token) is not None)
    for one in learnt:
        settled_late.learn_some([one])
        moments.append(settled_late.verify(member_id, token) is not None)
    settled_late.forget_others({one.member_id for one in learnt})

    assert all(moments) or not (might_before and may_now)
    assert set(settled_late) == set(expected)
    assert (settled_late.verify(member_id, token) is not None) == may_now
