"""The installation page: what it says, and what it lets nobody do."""

import re
from typing import Any

import msgspec
import pytest

from gateway.bitrix24.bindings import Binding, Bound, expected
from gateway.event_subscription import EventSubscription
from gateway.installation.page.outcome import (
    InstallConnected,
    InstallOutcome,
    InstallPostponed,
    InstallRefused,
    is_opened_at,
)
from gateway.installation.page.texts import Language, language_of, texts_in
from gateway.installation.page.view import BX24_SCRIPT, BrowserPage, page_of

HANDLER = "https://gateway.example.com/bitrix24/events"
SUBSCRIPTION = EventSubscription()
WANTED = expected(HANDLER, SUBSCRIPTION)
ONLINE = tuple(binding for binding in WANTED if not binding.is_offline)
QUEUE = tuple(binding for binding in WANTED if binding.is_offline)
WHOLE = InstallConnected(
    domain="acme.bitrix24.com",
    origins=("https://acme.bitrix24.com", "https://crm.acme.example"),
    has_token=True,
    handler=HANDLER,
    events=SUBSCRIPTION.queued,
    bound=Bound(bound=WANTED),
)


def connected(**changes: Any) -> InstallConnected:
    return msgspec.structs.replace(WHOLE, **changes)


def page(outcome: InstallOutcome, language: Language = "en") -> BrowserPage:
    return page_of(outcome, language=language, reference="a-reference", nonce="a-nonce")


def policy_of(one: BrowserPage) -> dict[str, str]:
    parts = one.headers["Content-Security-Policy"].split("; ")
    return dict(part.partition(" ")[::2] for part in parts)


def kinds(one: BrowserPage) -> list[str]:
    """The icons of the lines, in their order."""
    return re.findall(r'<li><svg[^>]*><circle class="disc-(\w+)"', one.html)


def test_only_the_portal_may_frame_it_and_only_what_is_named_may_run() -> None:
    policy = policy_of(page(WHOLE))

    assert policy == {
        "default-src": "'none'",
        "script-src": f"{BX24_SCRIPT} 'nonce-a-nonce'",
        "style-src": "'nonce-a-nonce'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "https://acme.bitrix24.com https://crm.acme.example",
    }


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(InstallRefused("token_rejected"), 403), (InstallPostponed("redis"), 503)],
)
def test_a_page_about_nothing_confirmed_runs_nothing_and_says_no_reason(
    outcome: InstallOutcome, status: int
) -> None:
    one = page(outcome)

    assert one.status == status
    assert "<script" not in one.html
    assert "token_rejected" not in one.html
    assert "a-reference" in one.html


def test_a_page_that_was_opened_elsewhere_says_where_the_portal_is() -> None:
    one = page(InstallRefused("other_domain", "acme.bitrix24.com"))

    assert "Open the portal at acme.bitrix24.com" in one.html
    assert one.status == 403


def test_a_page_in_a_portal_without_rest_says_what_to_do() -> None:
    assert "Change the plan or renew the subscription" in page(InstallRefused("not_in_plan")).html


def test_what_others_say_is_no_markup() -> None:
    evil = '"><script>alert(1)</script>'
    failed = dict.fromkeys(ONLINE, evil)

    one = page(connected(domain=evil, has_token=True, bound=Bound(bound=QUEUE, failed=failed)))

    assert "<script>alert" not in one.html
    assert "&lt;script&gt;alert" in one.html


def test_all_is_well_when_nothing_is_left_to_be_done() -> None:
    assert kinds(page(WHOLE)) == ["good"] * 5
    assert 'data-finish="finishing"' in page(WHOLE).html


@pytest.mark.parametrize(
    ("outcome", "expected_kinds", "title"),
    [
        (
            connected(bound=Bound(bound=ONLINE, not_in_plan=QUEUE)),
            ["good", "good", "good", "calm", "good"],
            "connected_title",
        ),
        (
            connected(bound=Bound(bound=ONLINE, failed=dict.fromkeys(QUEUE, "x"))),
            ["good", "good", "good", "warn", "good"],
            "partly_title",
        ),
        (
            connected(bound=Bound(bound=WANTED[1:], failed={WANTED[0]: "x"})),
            ["good", "good", "warn", "good", "good"],
            "partly_title",
        ),
        (
            connected(bound=None, trouble="no answer"),
            ["good", "good", "warn", "good"],
            "partly_title",
        ),
        (connected(has_token=False), ["good", "calm", "good", "good", "good"], "connected_title"),
        (
            connected(has_token=False, bound=None, handler=""),
            ["good", "warn", "warn", "good"],
            "unfinished_title",
        ),
    ],
)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_each_gap_is_shown_where_it_is(
    outcome: InstallConnected, expected_kinds: list[str], title: str, language: Language
) -> None:
    one = page(outcome, language)

    assert kinds(one) == expected_kinds
    assert getattr(texts_in(language), title) in one.html


def test_bitrix24_is_told_that_it_is_installed_only_if_deliveries_can_be_accepted() -> None:
    without_installed = tuple(one for one in WANTED if one.event != "ONAPPINSTALL")

    assert connected(has_token=False).can_finish
    assert connected(bound=None).can_finish
    assert not connected(has_token=False, bound=None).can_finish
    assert not connected(has_token=False, bound=Bound(bound=without_installed)).can_finish
    assert "<script" not in page(connected(has_token=False, bound=None)).html


def test_an_event_that_is_bound_offline_only_is_not_delivered() -> None:
    offline = Binding(event="ONAPPINSTALL")

    assert not connected(has_token=False, bound=Bound(bound=(offline, *QUEUE))).learns_token


@pytest.mark.parametrize(
    ("code", "language"), [("ru", "ru"), ("RU", "ru"), ("en", "en"), ("", "en"), ("de", "en")]
)
def test_russian_is_for_portals_in_russian(code: str, language: Language) -> None:
    assert language_of(code) == language


@pytest.mark.parametrize(
    ("domain", "origin", "is_there"),
    [
        ("acme.bitrix24.com", "https://acme.bitrix24.com", True),
        ("ACME.bitrix24.com:443", "https://acme.bitrix24.com", True),
        ("b24.corp.example", "http://b24.corp.example:80", True),
        ("b24.corp.example:8443", "https://b24.corp.example:8443", True),
        ("b24.corp.example", "https://b24.corp.example:8443", False),
        ("attacker.example", "https://acme.bitrix24.com", False),
        ("", "https://acme.bitrix24.com", False),
    ],
)
def test_the_page_belongs_where_it_is_opened(domain: str, origin: str, is_there: bool) -> None:  # noqa: FBT001
    assert is_opened_at(domain, ["https://elsewhere.example", origin]) == is_there
