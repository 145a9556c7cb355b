"""Who may look at the console, and who may change something."""

from typing import Any

import pytest
from multidict import CIMultiDict

from gateway.errors import OperatorError
from gateway.settings import ConsoleSettings
from gateway.web.protection.visitor_rules import ConsoleVisitor, VisitorRules

VIEWER, OPERATOR = "fake-token-of-viewers", "fake-token-of-operators"
TOKENS = ConsoleSettings(token=VIEWER, operator_token=OPERATOR)
PROXY = ConsoleSettings(
    user_header="X-Forwarded-User", trusted_proxies=("10.1.0.0/16",), operators=("ann",)
)


def visitor(
    settings: ConsoleSettings,
    peer: str = "127.0.0.1",
    *headers: tuple[str, str],
    cookie: str | None = None,
    now: float = 1000.0,
) -> ConsoleVisitor | None:
    return VisitorRules(settings).visitor(peer, CIMultiDict(headers), cookie, now=now)


def role(*arguments: Any, **more: Any) -> str | None:
    found = visitor(*arguments, **more)
    return None if found is None else found.role


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_may_look_and_not_change(peer: str) -> None:
    assert role(ConsoleSettings(), peer) == "viewer"


@pytest.mark.parametrize("peer", ["10.0.0.7", "192.0.2.1", "2001:db8::1", "", "nonsense"])
def test_without_a_token_nobody_else_may_look(peer: str) -> None:
    assert role(ConsoleSettings(), peer) is None


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X-Forwarded-Proto", "forwarded", "VIA", "x-real-ip"]
)
def test_what_a_proxy_on_this_machine_passes_on_is_not_of_this_machine(name: str) -> None:
    assert role(ConsoleSettings(), "127.0.0.1", (name, "127.0.0.1")) is None


def test_with_a_token_this_machine_needs_it_too() -> None:
    assert role(TOKENS) is None
    assert role(PROXY) is None


def test_a_token_lets_do_what_it_is_for() -> None:
    assert role(TOKENS, "192.0.2.1", bearer(VIEWER)) == "viewer"
    assert role(TOKENS, "192.0.2.1", bearer(OPERATOR)) == "operator"
    for wrong in ("", "wrong", VIEWER[:-1], VIEWER.upper(), f"{VIEWER} x"):
        assert role(TOKENS, "192.0.2.1", bearer(wrong)) is None
    assert role(TOKENS, "192.0.2.1", ("Authorization", f"Basic {OPERATOR}")) is None


def test_an_operators_token_alone_lets_in_only_operators() -> None:
    settings = ConsoleSettings(operator_token=OPERATOR)

    assert role(settings) is None
    assert role(settings, "127.0.0.1", bearer(OPERATOR)) == "operator"


def test_a_trusted_proxy_names_who_asks() -> None:
    found = visitor(PROXY, "10.1.2.3", ("x-forwarded-user", "ann"))

    assert found == ConsoleVisitor(role="operator", name="ann", by="proxy", address="10.1.2.3")
    assert role(PROXY, "10.1.2.3", ("X-Forwarded-User", "bob")) == "viewer"


def test_only_a_trusted_proxy_is_believed_and_only_one_name() -> None:
    assert role(PROXY, "10.2.0.1", ("X-Forwarded-User", "ann")) is None
    assert role(PROXY, "10.1.2.3", ("X-Forwarded-User", "ann"), ("X-Forwarded-User", "b")) is None
    assert role(PROXY, "10.1.2.3", ("X-Forwarded-User", " ")) is None
    assert role(PROXY, "10.1.2.3") is None


def test_a_name_that_is_no_utf8_can_be_written() -> None:
    latin_1 = b"J\xf6rg".decode(errors="surrogateescape")  # as aiohttp gives it

    found = visitor(PROXY, "10.1.2.3", ("X-Forwarded-User", latin_1))
    assert found is not None
    assert found.name == "J\N{REPLACEMENT CHARACTER}rg"


def session_of(settings: ConsoleSettings, token: str, *, now: float = 1000.0) -> str:
    made = VisitorRules(settings).session(token, " Ann \n of  operations ", now=now)
    assert made is not None
    return made[0]


def test_a_session_is_as_good_as_its_token_until_its_time_is_over() -> None:
    cookie = session_of(TOKENS, OPERATOR)

    found = visitor(TOKENS, cookie=cookie, now=1000.0 + TOKENS.session_s - 1)
    assert found == ConsoleVisitor(
        role="operator", name="Ann of operations", by="session", address="127.0.0.1"
    )
    assert role(TOKENS, cookie=cookie, now=1000.0 + TOKENS.session_s) is None


def test_a_changed_token_ends_all_sessions() -> None:
    cookie = session_of(TOKENS, VIEWER)

    for other in (
        ConsoleSettings(token=VIEWER, operator_token=f"{OPERATOR}2"),
        ConsoleSettings(token=f"{VIEWER}2", operator_token=OPERATOR),
        ConsoleSettings(token=VIEWER),
    ):
        assert role(other, cookie=cookie) is None


def test_no_letter_of_a_session_can_be_changed() -> None:
    cookie = session_of(TOKENS, VIEWER)

    assert role(TOKENS, cookie=cookie) == "viewer"
    body, _, signature = cookie.partition(".")
    for at in range(len(cookie) - 1):  # the last one holds bits that mean nothing
        if cookie[at] != ".":
            other = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
            if at != len(body) - 1:
                assert role(TOKENS, cookie=other) is None, at
    assert role(TOKENS, cookie=f"{body}.") is None
    assert role(TOKENS, cookie=body) is None
    assert role(TOKENS, cookie=f".{signature}") is None
    assert role(TOKENS, cookie="é.é") is None


def test_a_wrong_token_makes_no_session() -> None:
    assert VisitorRules(TOKENS).session("wrong", "", now=1.0) is None
    assert VisitorRules(ConsoleSettings()).session("", "", now=1.0) is None


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (ConsoleSettings(token="fake-too-short"), "16 characters"),
        (ConsoleSettings(token=VIEWER, operator_token=VIEWER), "must differ"),
        (ConsoleSettings(token="env:NOT_SET_ANYWHERE"), r"\[console\] token"),
        (ConsoleSettings(user_header="X-User"), "trusted_proxies"),
        (ConsoleSettings(user_header="X-User", trusted_proxies=("10.0.0.0/99",)), "10.0.0.0/99"),
    ],
    ids=["short", "equal", "missing", "no-proxies", "no-network"],
)
def test_settings_that_let_in_whom_they_should_not_are_refused(
    settings: ConsoleSettings, what: str
) -> None:
    with pytest.raises(OperatorError, match=what):
        VisitorRules(settings)
