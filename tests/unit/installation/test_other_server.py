"""Bitrix24 has two authorization servers, and either knows nothing of the other's applications."""

import pytest

from gateway.installation.claim import Claim, claim_of_event
from gateway.installation.confirmation import why_rejected

WEST, EAST = "https://oauth.bitrix.info/rest/", "https://oauth.bitrix24.tech/rest/"


def claim(server: str) -> Claim:
    body = (
        "auth[access_token]=fake&auth[refresh_token]=fake&auth[application_token]=fake"
        f"&auth[member_id]=m1&auth[server_endpoint]={server}"
    )
    return claim_of_event(body.encode(), received_s=0)


def test_a_portal_of_either_server_is_no_other_ones_where_both_are_asked() -> None:
    assert why_rejected(claim(EAST), servers=[WEST, EAST]) == "token_rejected"


@pytest.mark.parametrize(
    ("named", "asked", "why"),
    [
        (EAST, WEST, "another_authorization_server"),
        (WEST, EAST, "another_authorization_server"),
        (WEST, WEST, "token_rejected"),
        ("https://attacker.example/rest/", WEST, "token_rejected"),
        (EAST, "http://127.0.0.1:1/", "token_rejected"),
        ("https://[", WEST, "token_rejected"),
        ("", WEST, "token_rejected"),
    ],
)
def test_a_portal_of_the_other_server_is_told_as_that(named: str, asked: str, why: str) -> None:
    assert why_rejected(claim(named), servers=[asked]) == why
