"""A published list of senders is read, whatever its form."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.protection.client_address import Networks
from gateway.web.protection.list_format import networks_in

TWO = Networks([ip_network("3.217.33.54/32"), ip_network("52.29.163.0/24")])


@pytest.mark.parametrize(
    "content",
    [
        b'{"nodes": ["3.217.33.54", "52.29.163.0/24"]}',
        b'["3.217.33.54", "52.29.163.0/24", "3.217.33.54"]',
        b'{"regions": {"us": [{"ip": "3.217.33.54"}], "eu": [{"net": "52.29.163.0/24"}]}}',
        b'{"3.217.33.54": true, "52.29.163.0/24": null, "version": "1.0", "count": 2}',
        b"3.217.33.54\n52.29.163.0/24\n",
        b"# our senders\r\n3.217.33.54 # one\r\n\r\n52.29.163.0/24;\r\n",
        b"3.217.33.54, 52.29.163.0/24",
    ],
)
def test_addresses_are_found_in_any_form(content: bytes) -> None:
    assert networks_in(content) == TWO


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'"x"', b"null", b"<html>502</html>", b"\xff\xfe", b"7"]
)
def test_where_no_address_stands_none_is_found(content: bytes) -> None:
    assert len(networks_in(content)) == 0


def test_a_document_that_is_nested_without_end_does_no_harm() -> None:
    assert len(networks_in(b"[" * 100_000 + b'"3.217.33.54"' + b"]" * 100_000)) == 0


@given(st.binary(max_size=200))
def test_no_content_makes_it_raise(content: bytes) -> None:
    networks_in(content)
