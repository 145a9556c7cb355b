"""What a load may be let loose on."""

import pytest

from gateway.sandbox.portal import SANDBOX
from tests.benchmarks.load_test.load_portal import LOAD_PORTAL
from tests.benchmarks.load_test.target import LoadRefused, is_loopback, running_target


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://127.3.2.1/x",
        "http://[::1]:8080",
        "http://localhost:8080",
    ],
)
def test_this_machine_is_known_by_its_loopback_addresses(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.example.com",
        "http://0.0.0.0:8080",
        "http://203.0.113.7",
        "https://events.example.com/bitrix24/events",
    ],
)
def test_every_other_address_may_be_another_machine(url: str) -> None:
    assert not is_loopback(url)


def test_another_machine_has_to_be_meant() -> None:
    url = "https://events.example.com/bitrix24/events"

    for meant in (None, "example.com"):
        with pytest.raises(LoadRefused, match="--i-mean events.example.com"):
            running_target(url, portal=SANDBOX, config=None, meant=meant)
    target = running_target(url, portal=SANDBOX, config=None, meant="events.example.com")
    assert target.url == url


def test_an_address_without_a_path_is_completed_by_the_settings() -> None:
    target = running_target("http://127.0.0.1:8080", portal=None, config=None, meant=None)

    assert target.url == "http://127.0.0.1:8080/bitrix24/events"
    assert (target.portal.member_id, target.is_registered_here) == (LOAD_PORTAL.member_id, True)


def test_a_portal_that_is_registered_for_a_run_has_a_token_that_nobody_knows() -> None:
    tokens = {
        running_target(
            "http://127.0.0.1:8080", portal=None, config=None, meant=None
        ).portal.application_token
        for _ in range(3)
    }

    assert len(tokens | {LOAD_PORTAL.application_token}) == 4


def test_the_password_of_redis_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", "redis://load:fake0password@127.0.0.1:6399/0")

    target = running_target("http://127.0.0.1:8080", portal=None, config=None, meant=None)

    assert "fake0password" not in target.redis_shown
    assert "127.0.0.1:6399" in target.redis_shown
