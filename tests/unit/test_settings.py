import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect

from gateway.settings import Settings, SettingsError, is_given, load, resolve_secret


def written(directory: Path, text: str) -> str:
    path = directory / "gateway.toml"
    path.write_text(text)
    return str(path)


def test_defaults_are_complete() -> None:
    settings = load(None, {})

    assert settings.http.port == 8080
    assert settings.redis.streams.keys("events") == ("b24:events:{0}",)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = written(tmp_path, "[http]\nport = 9000\nmax_body = 1000")

    settings = load(config, {"GATEWAY_HTTP_PORT": "9001"})

    assert (settings.http.port, settings.http.max_body) == (9001, 1000)


def test_the_variable_for_the_file_is_read(tmp_path: Path) -> None:
    config = written(tmp_path, "[redis]\nprefix = 'other'")

    assert load(None, {"GATEWAY_CONFIG": config}).redis.prefix == "other"


def test_a_key_that_is_set_to_its_default_is_given_nevertheless(tmp_path: Path) -> None:
    config = written(tmp_path, "[redis]\nurl = 'redis://127.0.0.1:6379/0'")

    assert is_given("redis", "url", config, {})
    assert not is_given("redis", "prefix", config, {})
    assert is_given("redis", "url", None, {"GATEWAY_REDIS_URL": "redis://127.0.0.1:6379/0"})
    assert not is_given("redis", "url", None, {})


def test_lists_in_the_environment_are_words_or_json() -> None:
    words = load(None, {"GATEWAY_VAULT_KEYS": "env:NEW, env:OLD"})
    tables = load(
        None,
        {
            "GATEWAY_PORTALS": (
                '[{"member_id": "m", "domain": "d", "application_tokens": ["env:TOKEN"]}]'
            )
        },
    )

    assert words.vault.keys == ("env:NEW", "env:OLD")
    assert tables.portals[0].application_tokens == ("env:TOKEN",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nprot = 1", "[http] prot: unknown key"),
        ("[htpp]\nport = 1", "[htpp]: unknown section"),
        ("[http]\nport = 'x'", "[http] port: must be a whole number, not a text"),
        ("[http]\nport = 70000", "[http] port: must be a whole number, at most 65535"),
        ("[publish]\nack = 'maybe'", "[publish] ack: must be written, fsynced or replicated:<n>"),
        ("[retention]\nmax_memory_share = 0", "must be a number, more than 0"),
        ("[notifier]\ndeliver = 'some'", "[notifier] deliver: must be one of all, first"),
        ("[[notifier.routes]]\nurl = 1", "routes[0]: unknown key url; known are urls, name"),
        ("http = 1", "[http] must be a table"),
        ("[[portals]]\nmember_id = 'm'", "[[portals]][0]: domain is missing"),
        ("[[notifier.routes]]\nurls = []", "routes[0].urls: must have at least 1 entries"),
        ("[http", "not valid TOML"),
    ],
)
def test_a_fault_in_the_file_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text), {})

    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "variable", ["GATEWAY_HTTP_PROT", "GATEWAY_NONSENSE", "GATEWAY_PORTALS_X", "GATEWAY_HTTP"]
)
def test_an_unknown_variable_is_named(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}: unknown setting"):
        load(None, {variable: "1"})


KUBERNETES = {
    "GATEWAY_SERVICE_HOST": "10.96.12.7",
    "GATEWAY_ENV_VALKEY_VERSION": "9.1",
    "GATEWAY_SERVICE_PORT": "8080",
    "GATEWAY_SERVICE_PORT_HTTP": "8080",
    "GATEWAY_PORT": "tcp://10.96.12.7:8080",
    "GATEWAY_PORT_8080_TCP": "tcp://10.96.12.7:8080",
    "GATEWAY_PORT_8080_TCP_PROTO": "tcp",
    "GATEWAY_PORT_8080_TCP_PORT": "8080",
    "GATEWAY_PORT_8080_TCP_ADDR": "10.96.12.7",
    "GATEWAY_PORT_53_UDP": "udp://10.96.12.7:53",
    "GATEWAY_HTTP_SERVICE_HOST": "10.96.12.7",
    "GATEWAY_HTTP_PORT": "tcp://10.96.12.7:8080",
    "GATEWAY_HTTP_PORT_8080_TCP_ADDR": "10.96.12.7",
    "GATEWAY_REDIS_SERVICE_HOST": "10.96.12.8",
    "GATEWAY_REDIS_SERVICE_PORT": "6379",
    "GATEWAY_REDIS_PORT": "tcp://10.96.12.8:6379",
    "GATEWAY_NAME": "/receiver/gateway",
}


def test_what_is_set_for_services_of_our_name_sets_nothing() -> None:
    assert load(None, KUBERNETES) == load(None, {})
    assert not is_given("http", "port", None, KUBERNETES)


@pytest.mark.parametrize(
    "variable",
    ["GATEWAY_SERVICE_HOTS", "GATEWAY_HTTP_PORTS", "GATEWAY_REDIS_SERVICE", "GATEWAY_HTTP_PROT"],
)
def test_a_typing_error_beside_them_is_told(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: unknown setting"):
        load(None, KUBERNETES | {variable: "tcp://10.96.12.7:8080"})


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(SettingsError, match="GATEWAY_HTTP_PORT: "):
        load(None, {"GATEWAY_HTTP_PORT": "http"})


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    config = written(tmp_path, "[http]\nport = 'x'\nworkers = 0\n[nope]\n")

    with pytest.raises(SettingsError) as caught:
        load(config, {"GATEWAY_ADMIN_PORT": "y"})

    assert len(str(caught.value).splitlines()) == 4


def test_the_one_application_is_a_list_of_one() -> None:
    one = load(None, {"GATEWAY_BITRIX24_CLIENT_ID": "app.fake"}).bitrix24

    assert [(app.client_id, app.authorization_server) for app in one.listed] == [
        ("app.fake", "https://oauth.bitrix.info/")
    ]
    assert load(None, {}).bitrix24.listed == ()


_WEST = '[[bitrix24.applications]]\nclient_id = "app.fake"\nclient_secret = "env:FAKE"\n'
_EAST = f'{_WEST}authorization_server = "https://oauth.bitrix24.tech/"\n'


def test_one_application_may_be_listed_for_both_servers(tmp_path: Path) -> None:
    listed = load(written(tmp_path, _WEST + _EAST), {}).bitrix24.listed

    assert [app.client_id for app in listed] == ["app.fake", "app.fake"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_EAST + _EAST, "app.fake is there twice for https://oauth.bitrix24.tech/"),
        (
            f'[bitrix24]\nclient_id = "local.fake"\n{_WEST}',
            "client_id: there is a list, [[bitrix24.applications]]: put this application into it",
        ),
        (f'{_WEST}authorization_server = "http://a"', "must be an https:// URL"),
        ('[[bitrix24.applications]]\nclient_id = ""\nclient_secret = "x"', "at least 1 character"),
        ('[[bitrix24.applications]]\nclient_id = "x"', "client_secret is missing"),
        (f"{_WEST}secret = 1", "unknown key secret; known are client_id, client_secret"),
    ],
)
def test_a_fault_in_the_list_of_applications_is_told_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        load(written(tmp_path, text), {})


def test_one_portal_cannot_be_there_twice(tmp_path: Path) -> None:
    portal = "[[portals]]\nmember_id='m'\ndomain='d'\napplication_tokens=['t']\n"

    with pytest.raises(SettingsError, match="member_id m is there twice"):
        load(written(tmp_path, portal * 2), {})


def test_secrets_come_from_values_variables_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T", "from-env")
    monkeypatch.setenv("PASTED", "from-env\r\n")
    (tmp_path / "token").write_text("from-file\n")

    assert resolve_secret("plain", name="n") == "plain"
    assert resolve_secret(" plain\n", name="n") == "plain"
    assert resolve_secret("env:PASTED", name="n") == "from-env"
    assert resolve_secret("env:T", name="n") == "from-env"
    assert resolve_secret(f"file:{tmp_path}/token", name="n") == "from-file"


@pytest.mark.parametrize("value", ["", "env:MISSING", "file:/nowhere/at/all"])
def test_a_missing_secret_stops_and_names_the_setting(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^\[\[portals\]\] m: "):
        resolve_secret(value, name="[[portals]] m")


def test_every_pattern_says_in_words_what_it_asks_for() -> None:
    def patterns(kind: inspect.Type, description: str = "") -> Iterator[tuple[str, str]]:
        match kind:
            case inspect.Metadata():
                told = (kind.extra_json_schema or {}).get("description", description)
                yield from patterns(kind.type, told)
            case inspect.StrType() if kind.pattern:
                yield kind.pattern, description
            case inspect.StructType():
                for field in kind.fields:
                    yield from patterns(field.type)
            case inspect.VarTupleType():
                yield from patterns(kind.item_type)
            case inspect.UnionType():
                for one in kind.types:
                    yield from patterns(one)

    found = dict(patterns(inspect.type_info(Settings)))

    assert len(found) > 5
    assert all(found.values()), found


@pytest.mark.parametrize("member_id", [" m", "m ", "m\n", "", "m/1"])
def test_a_member_id_with_something_stray_is_refused(member_id: str) -> None:
    portals = [{"member_id": member_id, "domain": "d", "application_tokens": ["env:T"]}]

    with pytest.raises(SettingsError, match=r"member_id: must be of letters, digits"):
        load(None, {"GATEWAY_PORTALS": json.dumps(portals)})


def test_the_domain_of_a_portal_has_no_capitals() -> None:
    portals = [{"member_id": "m", "domain": "Acme.Bitrix24.com", "application_tokens": ["env:T"]}]

    (portal,) = load(None, {"GATEWAY_PORTALS": json.dumps(portals)}).portals

    assert portal.domain == "acme.bitrix24.com"
