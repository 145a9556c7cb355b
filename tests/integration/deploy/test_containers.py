import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.doctor.redis_accounts import ACCOUNTS
from gateway.settings import Settings, load, resolve_secret
from tests.integration.deploy.files import (
    COMPOSE,
    CONTAINERFILE,
    DEPLOY,
    EXAMPLE_SETTINGS,
    ROOT,
    checked,
    example_env,
    image_env,
    installed,
    kept_paths,
    on_path,
    services,
)

CONSUMERS = ("audit", "enricher", "feed", "notifier", "relay", "warehouse")
OURS = [
    name
    for name, service in services().items()
    if service["image"].startswith("bitrix24") and "profiles" not in service
]


def environment_of(service: str) -> dict[str, str]:
    given: dict[str, str] = services()[service]["environment"]
    return image_env() | given


def settings_of(service: str) -> Settings:
    """What the process of this service reads, its settings file being the example."""
    environ = environment_of(service)
    mounts = [volume.split(":") for volume in services()[service]["volumes"]]
    assert ["./gateway.toml", environ["GATEWAY_CONFIG"], "ro"] in mounts
    return load(None, environ | {"GATEWAY_CONFIG": str(EXAMPLE_SETTINGS)})


def test_the_linters_have_nothing_to_say() -> None:
    checked(installed("hadolint"), CONTAINERFILE)
    checked(installed("yamllint"), "--strict", "-c", ROOT / ".yamllint.yaml", COMPOSE)


def test_everything_that_the_image_copies_is_let_into_its_context() -> None:
    copied = {
        name
        for sources in re.findall(
            r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text(), re.MULTILINE
        )
        for name in sources.split()
    }
    allowed = re.findall(r"^!(.+?)/?$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert copied == set(allowed)
    assert all((ROOT / name).exists() for name in copied)


def test_the_compose_file_fits_the_specification() -> None:
    checked(installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_docker_compose_can_read_the_compose_file(tmp_path: Path) -> None:
    docker = on_path("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker is installed here without its compose plugin")

    checked(
        *(docker, "compose", "--file", COMPOSE, "--env-file", DEPLOY / ".env.example"),
        *("config", "--quiet"),
    )


def test_there_is_a_service_for_each_process() -> None:
    commands = {tuple(services()[name]["command"]) for name in OURS}

    assert commands == {
        ("gateway", "serve"),
        ("gateway", "reconcile"),
        *(("consumers", "run", name) for name in CONSUMERS),
    }


@pytest.mark.parametrize("service", OURS)
def test_a_service_starts_with_the_example_settings_and_reaches_redis(service: str) -> None:
    settings = settings_of(service)

    assert settings.redis.url.endswith("@redis:6379/0")
    assert set(services()[service]["networks"]) >= {"streams"}


@pytest.mark.parametrize("service", [*OURS, "operator"])
def test_a_service_has_the_account_in_redis_that_is_made_for_it_and_no_other(service: str) -> None:
    account = {"reconcile": "reconciler"}.get(service, service)
    passwords = {one for name, one in example_env().items() if name.startswith("REDIS_PASSWORD_")}
    given = environment_of(service)
    url = urlsplit(given["GATEWAY_REDIS_URL"])

    assert account in ACCOUNTS
    assert (url.username, url.password) == (
        account,
        example_env()[f"REDIS_PASSWORD_{account.upper()}"],
    )
    assert [one for one in passwords if one in str(given)] == [url.password]
    assert "REDIS_PASSWORD" not in " ".join(given)


@pytest.mark.parametrize("service", OURS)
def test_what_a_service_keeps_is_in_its_volume(service: str) -> None:
    volumes = [volume.split(":") for volume in services()[service]["volumes"]]
    ((_, kept),) = (parts for parts in volumes if len(parts) == 2)
    (working_directory,) = re.findall(
        r"^WORKDIR (/var/.*)$", CONTAINERFILE.read_text(), re.MULTILINE
    )

    paths = kept_paths(settings_of(service), working_directory=Path(working_directory))
    assert all(path.is_relative_to(kept) for path in paths)


def test_a_service_has_the_secrets_it_needs_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def secrets(service: str) -> set[str]:
        return set(environment_of(service)) & set(example_env())

    receiver, notifier = settings_of("receiver"), settings_of("notifier")
    tokens = [token for portal in receiver.portals for token in portal.application_tokens]
    urls = [url for route in notifier.notifier.routes for url in route.urls]
    for service, references in {"receiver": tokens, "notifier": urls}.items():
        with monkeypatch.context() as its:
            for name, value in environment_of(service).items():
                its.setenv(name, value)
            for reference in references:
                resolve_secret(reference, name="a setting")

    assert secrets("receiver") == {"ACME_APPLICATION_TOKEN"}
    assert secrets("notifier") == {"SALES_ROUTE_URL"}
    assert secrets("audit") == secrets("warehouse") == secrets("reconcile") == set()


@pytest.mark.parametrize("service", OURS)
def test_a_service_is_given_longer_to_stop_than_it_takes(service: str) -> None:
    settings = settings_of(service)
    given_s = int(services()[service]["stop_grace_period"].removesuffix("s"))

    graces_s = (settings.http.grace_s, settings.reconcile.grace_s, 2 * settings.consumers.grace_s)
    assert given_s > max(graces_s)


@pytest.mark.parametrize("service", OURS)
def test_the_health_check_of_the_image_asks_where_every_process_answers(service: str) -> None:
    asked = re.search(r"'127\.0\.0\.1', (\d+), .* '/healthz'", CONTAINERFILE.read_text())
    settings: Any = settings_of(service)
    sections = {"receiver": settings.admin, "reconcile": settings.reconcile}
    listener = sections.get(service, settings.consumers)

    assert asked
    assert int(asked[1]) == listener.port
    assert listener.host == "0.0.0.0"
