"""Redis's URL: each form, each parameter, passwords with any character, and nothing shown."""

import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsError
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import load

PAGE = Path(__file__).parents[3] / "docs" / "redis.md"
URLS = re.findall(r"`((?:rediss?|unix)[+a-z]*://[^`]+)`", PAGE.read_text())


def refusal(url: str) -> str:
    with pytest.raises(SettingsError) as caught:
        RedisAddress.of(url)
    return str(caught.value)


@pytest.mark.parametrize("url", URLS)
def test_each_url_of_the_page_can_be_used(url: str) -> None:
    assert RedisAddress.of(url).nodes or RedisAddress.of(url).path


def test_a_server_is_named_by_host_port_and_database() -> None:
    address = RedisAddress.of("redis://user:fake@one:6380/3")

    assert (address.kind, address.nodes, address.db) == ("server", (("one", 6380),), 3)
    assert (address.username, address.password, address.tls) == ("user", "fake", None)
    assert RedisAddress.of("redis://one").nodes == (("one", 6379),)
    assert RedisAddress.of("redis://[::1]:6380").nodes == (("::1", 6380),)
    assert RedisAddress.of("redis://one?db=2").db == 2


def test_a_socket_has_a_path_and_parameters() -> None:
    address = RedisAddress.of("unix://user:fake@/run/redis.sock?db=2")

    assert (address.path, address.db) == ("/run/redis.sock", 2)
    assert (address.username, address.password) == ("user", "fake")


def test_the_database_is_honoured_with_sentinels_and_refused_for_a_cluster() -> None:
    assert RedisAddress.of("redis+sentinel://one/mine?db=4").db == 4
    assert RedisAddress.of("redis+cluster://one/0").db == 0
    assert "no databases but 0" in refusal("redis+cluster://one?db=4")


def test_tls_has_an_authority_and_a_certificate_of_the_client() -> None:
    address = RedisAddress.of("rediss+cluster://one?ssl_ca_certs=/ca.pem&ssl_check_hostname=no")

    assert address.tls == {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    assert "rediss://" in refusal("redis://one?ssl_ca_certs=/ca.pem")


def test_sentinels_may_have_a_password_of_their_own() -> None:
    address = RedisAddress.of("redis+sentinel://:fake@one/mine?sentinel_password=fake-other")

    assert (address.password, address.sentinel_password) == ("fake", "fake-other")


@pytest.mark.parametrize("parameter", ["socket_timeout=1", "retry=3", "ssl_ca_cert=/ca.pem"])
@pytest.mark.parametrize("url", ["redis://one/0", "redis+sentinel://one/mine", "redis+cluster://a"])
def test_a_parameter_that_is_not_known_is_refused_with_those_that_are(
    url: str, parameter: str
) -> None:
    told = refusal(f"{url}?{parameter}")

    assert f"unknown parameter {parameter.partition('=')[0]}; known are db, username" in told


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), min_size=1))
def test_a_password_may_hold_any_character(password: str) -> None:
    address = RedisAddress.of(f"redis://:x{password}x@one:6380/1")

    assert (address.password, address.nodes) == (f"x{password}x", (("one", 6380),))


@pytest.mark.parametrize(
    ("written", "meant"), [("100%", "100%"), ("p%40ss", "p@ss"), ("a%2541", "a%41"), ("%zz", "%zz")]
)
def test_a_percent_sign_is_itself_unless_two_digits_follow(written: str, meant: str) -> None:
    assert RedisAddress.of(f"redis://:{written}@one").password == meant


@pytest.mark.parametrize(
    "url",
    [
        "redis://:FAKE/SECRET",
        "redis://u:FAKE-SECRET",
        "redis://u:FAKE-SECRET@one:x",
        "redis://u:FAKE-SECRET@one:70000",
        "redis://u:FAKE-SECRET@one/zero",
        "redis://u:FAKE-SECRET@",
        "redis+sentinel://u:FAKE-SECRET@one",
        "redis+cluster://u:FAKE-SECRET@one,",
        "rediss+sentinel://one:1/mine?sentinel_password=FAKE@SECRET",
        "unix://u:FAKE-SECRET@",
        "redis+spaceship://u:FAKE-SECRET@one",
        "FAKE-SECRET",
    ],
)
def test_what_cannot_be_used_is_told_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        RedisAddress.of(url)

    shown = "".join(traceback.format_exception(caught.value))
    assert not any(secret in str(caught.value) for secret in ("FAKE", "SECRET"))
    assert "FAKE" not in shown.replace(url, "")


def test_an_address_is_shown_without_its_password() -> None:
    address = RedisAddress.of(
        "redis+sentinel://u:FAKE-SECRET@one:1,two:2/mine?sentinel_password=FAKE"
    )

    assert str(address) == "Redis 'mine' of the Sentinels at one:1, two:2"
    assert "FAKE" not in repr(address)


def test_the_url_may_stand_in_a_variable_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE_REDIS_IS", "redis://one")
    (tmp_path / "url").write_text("redis://:fake@two/1\n")

    assert RedisAddress.of("env:WHERE_REDIS_IS").nodes == (("one", 6379),)
    assert RedisAddress.of(f"file:{tmp_path}/url").password == "fake"
    assert "[redis] url: env:NOWHERE is not set" in refusal("env:NOWHERE")
    assert load(None, {"GATEWAY_REDIS_URL": f"file:{tmp_path}/url"}).redis.url.startswith("file:")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "must begin with redis://, rediss://, unix://"),
        ("http://localhost", "http:// is unknown; known are redis://"),
        ("redis://one:70000", "redis:// needs host:port/db"),
        ("redis://one?tls=yes", "unknown parameter tls; known are db"),
    ],
)
def test_the_start_says_in_words_what_is_wrong_with_the_url(url: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {"GATEWAY_REDIS_URL": url})

    assert said in str(caught.value)
    assert "regex" not in str(caught.value)
