"""Which tokens are kept."""

import msgspec
import pytest

from gateway.bitrix24.tokens import REFRESH_LIFE_S, EventToken, Tokens, after_event, after_refresh

KEPT = Tokens(
    member_id="fake",
    endpoint="https://acme.example/rest/",
    user_id=1,
    access_token="fake-access",
    expires_at=1_000,
    refresh_token="fake-refresh",
    renewed_at=500,
)


def test_newer_token_of_the_same_user_takes_the_place_of_the_access_token_only() -> None:
    offered = EventToken(user_id=1, access_token="fake-newer", expires_at=1_001)
    expected = msgspec.structs.replace(KEPT, access_token="fake-newer", expires_at=1_001)
    assert after_event(KEPT, offered) == expected


@pytest.mark.parametrize(
    "offered",
    [
        EventToken(user_id=1, access_token="fake-same-age", expires_at=1_000),
        EventToken(user_id=1, access_token="fake-older", expires_at=999),
        EventToken(user_id=2, access_token="fake-of-another", expires_at=2_000),
        EventToken(user_id=1, access_token="", expires_at=2_000),
    ],
)
def test_older_empty_and_foreign_tokens_change_nothing(offered: EventToken) -> None:
    assert after_event(KEPT, offered) == KEPT


def test_nothing_empty_replaces_anything_full() -> None:
    empty = Tokens(
        member_id="fake",
        endpoint="",
        user_id=0,
        access_token="",
        expires_at=0,
        refresh_token="",
        renewed_at=2_000,
    )
    assert after_refresh(KEPT, empty) == KEPT


def test_portal_that_moved_is_found_at_its_new_endpoint_after_a_refresh() -> None:
    issued = msgspec.structs.replace(KEPT, endpoint="https://new.example/rest/")
    assert after_refresh(KEPT, issued).endpoint == "https://new.example/rest/"


def test_grant_is_due_half_way_through_its_life() -> None:
    assert not KEPT.is_due(500 + REFRESH_LIFE_S / 2)
    assert KEPT.is_due(501 + REFRESH_LIFE_S / 2)


def test_grant_whose_beginning_lies_ahead_is_due() -> None:
    assert not KEPT.is_due(500 - 3600)  # as far as clocks of machines may differ
    assert KEPT.is_due(499 - 3600)


def test_text_forms_show_no_token() -> None:
    offered = EventToken(user_id=1, access_token="fake-access", expires_at=1_000)
    assert "fake-" not in f"{KEPT!r} {KEPT} {offered!r} {[KEPT, offered]}"
