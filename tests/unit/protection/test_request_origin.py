"""Which requests to the console come from its own pages."""

import pytest
from multidict import CIMultiDict

from gateway.web.protection.request_origin import why_not_change, why_not_read

LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def change(*, has_token: bool = False, **headers: str) -> str | None:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return why_not_change(named, has_token=has_token)


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_what_a_person_or_the_console_itself_asks_for_may_be_read(site: str | None) -> None:
    assert why_not_read("GET", {} if site is None else {"Sec-Fetch-Site": site}) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything-else"])
def test_another_site_may_lead_here_and_read_nothing(site: str) -> None:
    assert why_not_read("GET", {"Sec-Fetch-Site": site, **LINK}) is None

    for mode, dest in (
        ("cors", "empty"),
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("navigate", "iframe"),
        ("navigate", "embed"),
    ):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert why_not_read("GET", headers) is not None
    assert why_not_read("POST", {"Sec-Fetch-Site": site, **LINK}) is not None


def test_only_a_page_of_the_console_changes_anything() -> None:
    assert change(Sec_Fetch_Site="same-origin") is None
    assert change(Origin="https://console.example", Host="console.example") is None
    assert change(Origin="http://127.0.0.1:8081", Host="127.0.0.1:8081") is None

    assert change(Sec_Fetch_Site="cross-site") is not None
    assert change(Sec_Fetch_Site="same-site") is not None
    assert change(Sec_Fetch_Site="none") is not None
    assert change(Origin="https://evil.example", Host="console.example") is not None
    assert change(Origin="http://127.0.0.1:8082", Host="127.0.0.1:8081") is not None
    assert change(Origin="null", Host="console.example") is not None
    assert change(Host="console.example") is not None
    assert (
        change(Sec_Fetch_Site="same-origin", Origin="https://evil.example", Host="a.example")
        is not None
    )


def test_a_program_with_a_token_is_no_page_and_a_page_with_one_stays_a_page() -> None:
    assert change(has_token=True) is None
    assert change(has_token=True, Sec_Fetch_Site="cross-site") is not None
    assert change(has_token=True, Origin="https://evil.example", Host="a.example") is not None
