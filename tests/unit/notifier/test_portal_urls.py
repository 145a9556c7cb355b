"""Addresses of people and chats in a portal, as `bitrix24://…` of a route."""

from typing import Any

import pytest

from consumers.notifier.targets import Target, plugin_of
from gateway.errors import OperatorError
from gateway.network_fence import Fence

MEMBER = "0123456789abcdef0123456789abcdef"
PUBLIC = Fence(section="notifier", allow_private=False, networks=())


@pytest.mark.parametrize(
    "url",
    [
        f"bitrix24://{MEMBER}/",
        f"bitrix24://{MEMBER}/anna",
        "bitrix24://acme.bitrix24.com/7",
    ],
)
def test_an_incomplete_url_stops_the_start(url: str) -> None:
    with pytest.raises(OperatorError, match=r"urls\[1\]: not a URL that Apprise can use"):
        Target(url, name="sales/1", key="urls[1]", timeout_s=5.0, fence=PUBLIC)


def test_a_url_makes_itself_again() -> None:
    first = plugin_of(f"bitrix24://{MEMBER}/7/chat12", key="urls[1]")
    again: Any = plugin_of(str(first.url()), key="urls[1]")

    assert again.member_id == MEMBER
    assert again.targets == ["7", "chat12"]
    assert len(again) == 2
