"""What the chart says of its processes, held to the processes' own settings."""

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings, load
from tests.integration.deploy.files import kept_paths
from tests.integration.deploy.kubernetes.chart import Rendered, render

PROCESSES = (
    "receiver",
    "reconcile",
    "enricher",
    "notifier",
    "warehouse",
    "audit",
    "relay",
    "feed",
    "stock",
)


TESTS = ("doctor", "drill")


def everything() -> Rendered:
    return render(everything=True)


def container_of(name: str) -> dict[str, Any]:
    container: dict[str, Any]
    (container,) = everything().pod(name)["containers"]
    return container


def test_these_are_all_processes() -> None:
    assert sorted(PROCESSES) == sorted(
        name for name, _spec, _labels in everything().pods() if name not in TESTS
    )


@pytest.fixture(params=PROCESSES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(name: str, tmp_path: Path) -> Settings:
    """What this process reads in its pod: the file of the ConfigMap, and its environment."""
    file = tmp_path / "gateway.toml"
    file.write_text(everything().of("ConfigMap")["settings"]["data"]["gateway.toml"])
    environment = everything().environment(name)
    mounts = {one["name"]: one["mountPath"] for one in container_of(name)["volumeMounts"]}
    assert environment["GATEWAY_CONFIG"] == f"{mounts['settings']}/{file.name}"
    return load(None, environment | {"GATEWAY_CONFIG": str(file)})


def listener_of(name: str, settings: Settings) -> Any:
    return {"receiver": settings.admin, "reconcile": settings.reconcile}.get(
        name, settings.consumers
    )


def test_it_answers_where_it_is_asked(name: str, settings: Settings) -> None:
    ports = {one["name"]: one["containerPort"] for one in container_of(name)["ports"]}
    listener = listener_of(name, settings)

    assert (listener.host, listener.port) == ("0.0.0.0", ports["admin"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container_of(name)[probe]["httpGet"]["port"] == "admin"
    if name == "receiver":
        assert (settings.http.host, settings.http.port) == ("0.0.0.0", ports["deliveries"])
    if name == "feed":
        assert (settings.feed.host, settings.feed.port) == ("0.0.0.0", ports["own"])


def test_what_it_keeps_is_in_its_volume(name: str, settings: Settings) -> None:
    mounts = {one["name"]: one["mountPath"] for one in container_of(name)["volumeMounts"]}
    working_directory = Path(container_of(name)["workingDir"])

    for path in kept_paths(settings, working_directory=working_directory):
        assert path.is_relative_to(mounts["data"])


def test_it_has_longer_to_stop_than_it_takes(name: str, settings: Settings) -> None:
    asleep_s = (
        container_of(name)
        .get("lifecycle", {})
        .get("preStop", {})
        .get("sleep", {})
        .get("seconds", 0)
    )
    takes_s = {"receiver": settings.http.grace_s, "reconcile": settings.reconcile.grace_s}.get(
        name, 2 * settings.consumers.grace_s
    )

    assert everything().pod(name)["terminationGracePeriodSeconds"] >= asleep_s + takes_s + 5


def test_all_go_by_the_same_partitions(settings: Settings) -> None:
    assert settings.redis.partitions == 4


def test_secrets_are_given_to_those_alone_that_name_them(name: str) -> None:
    given = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in container_of(name)["env"]
        if "valueFrom" in one
    }
    redis = "gateway-redis-receiver" if name == "receiver" else "gateway-redis"
    own = {
        "receiver": {"ACME_APPLICATION_TOKEN": {"name": "gateway-portals", "key": "acme"}},
        "relay": {"CRM_ENDPOINT_SECRET": {"name": "gateway-endpoints", "key": "crm"}},
        "notifier": {"SALES_ROUTE_URL": {"name": "gateway-routes", "key": "sales"}},
    }

    assert given == {"GATEWAY_REDIS_URL": {"name": redis, "key": "url"}, **own.get(name, {})}


def test_the_drill_is_a_test_of_its_own_only_where_it_is_wanted() -> None:
    hooks = {
        name: one["metadata"]["annotations"]
        for name, one in everything().of("Pod").items()
        if name in TESTS
    }

    assert {one["helm.sh/hook"] for one in hooks.values()} == {"test"}
    # To the doctor a drill that did not go well is red: it is not what keeps the next from running.
    assert int(hooks["drill"]["helm.sh/hook-weight"]) < 0
    assert "drill" not in render().of("Pod")
    assert container_of("drill")["command"] == ["gateway", "drill"]


def test_the_drill_has_no_secret_but_the_address_with_its_account(tmp_path: Path) -> None:
    given = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in container_of("drill")["env"]
        if "valueFrom" in one
    }

    assert given == {"GATEWAY_REDIS_URL": {"name": "gateway-redis-drill", "key": "url"}}
    mounts = {one["name"]: one["mountPath"] for one in container_of("drill")["volumeMounts"]}
    spool = everything().environment("drill")["GATEWAY_SPOOL_DIR"]
    assert Path(spool).is_relative_to(mounts["data"])
