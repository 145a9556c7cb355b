"""Whether this aiohttp has what the fast lane stands on, and what is said where it has not."""

import pytest
from aiohttp.web_protocol import RequestHandler

from gateway.web.fast_lane.aiohttp_fit import missing_in_aiohttp
from gateway.web.fast_lane.lane_connection import LaneConnection


def test_the_installed_aiohttp_has_all_of_it() -> None:
    assert missing_in_aiohttp(LaneConnection.__slots__) is None


def test_what_a_release_has_moved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RequestHandler, "_process_keepalive")
    assert "has no _process_keepalive" in str(missing_in_aiohttp(LaneConnection.__slots__))


def test_a_name_that_a_release_takes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RequestHandler, "_behind", b"", raising=False)
    assert "has _behind of its own" in str(missing_in_aiohttp(LaneConnection.__slots__))
