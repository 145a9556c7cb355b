"""Addresses that tokens are sent to."""

import pytest

from gateway.bitrix24.endpoints import endpoint_of, method_url, webhook_code


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://acme.bitrix24.com/rest", "https://acme.bitrix24.com/rest/"),
        ("https://portal.example:8443/rest/", "https://portal.example:8443/rest/"),
        ("http://127.0.0.1:8090/rest/", "http://127.0.0.1:8090/rest/"),
    ],
)
def test_endpoint_ends_in_a_slash(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://fake.example/rest/",
        "ftp://fake.example/",
        "//fake.example/",
        "https:///rest/",
        "https://fake@other.example/rest/",
        "https://fake.example/rest/?a=b",
        "https://fake.example/rest/#a",
        "https://fake.example:99999/",
        "https://fake .example/",
        "https://fake..example/",
        "https://fake.example/\n",
        "http://127.0.0.1.fake.example/",
    ],
)
def test_tokens_are_not_sent_in_clear_or_to_odd_places(url: str) -> None:
    with pytest.raises(ValueError, match="not an https URL") as told:
        endpoint_of(url)
    assert "fake" not in str(told.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "a.localhost", "0.0.0.0"]
)
def test_whoever_is_not_on_this_machine_names_none_on_it(host: str) -> None:
    with pytest.raises(ValueError, match="not an https URL"):
        endpoint_of(f"https://{host}:8443/rest/", may_be_local=False)
    assert endpoint_of(f"https://{host}:8443/rest/") == f"https://{host}:8443/rest/"
    assert endpoint_of("https://10.0.0.7/rest/", may_be_local=False) == "https://10.0.0.7/rest/"


@pytest.mark.parametrize("method", ["", "..", "a/b", "a?b", "a.", ".a", "a b", "a\n"])
def test_method_cannot_lead_elsewhere(method: str) -> None:
    with pytest.raises(ValueError, match="no method's name"):
        method_url("https://acme.example/rest/", method)


def test_method_of_a_portal() -> None:
    url = method_url("https://acme.example/rest/", "crm.timeline.comment.get")
    assert url == "https://acme.example/rest/crm.timeline.comment.get.json"


def test_webhook_is_known_by_its_code() -> None:
    assert webhook_code("https://acme.example/rest/7/fake0code/") == "fake0code"
    for other in ("https://acme.example/rest/", "https://acme.example/rest/7/fake/app.info/"):
        with pytest.raises(ValueError, match="not the URL") as told:
            webhook_code(other)
        assert "fake" not in str(told.value)
