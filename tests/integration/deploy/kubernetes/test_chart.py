"""The Helm chart in the judgement of helm, of Kubernetes' own schemas, and of custom resources'."""

import json
import os
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from gateway.settings.service_links import is_service_link
from tests.integration.deploy.files import ROOT
from tests.integration.deploy.kubernetes.chart import CHART, EVERYTHING, Rendered, helm, render
from tests.support.node_tools import find_node_tools

CUSTOM: Final = ("ScaledObject", "PodMonitor", "PrometheusRule")
ROUTE_CHECK: Final = """
import("@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute").then((models) =>
  new models.HTTPRoute(JSON.parse(require("fs").readFileSync(0, "utf8"))).validate());
"""
# The oldest that Chart.yaml admits, and the newest that there are schemas of.
KUBERNETES: Final = ("1.30", "1.37")


@pytest.fixture(params=["defaults", "everything"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(everything=request.param == "everything")


@pytest.mark.parametrize("values", [(), ("--values", EVERYTHING)])
def test_helm_has_nothing_to_say_against_it(values: tuple[str, ...]) -> None:
    done = helm("lint", "--strict", CHART, *values)

    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(rendered: Rendered, version: str) -> None:
    judged = [one for one in rendered.objects if one["kind"] not in (*CUSTOM, "HTTPRoute")]

    assert judged
    for one in judged:
        kubernetes_validate.validate(one, version, strict=True)


def test_keda_and_prometheus_know_every_field() -> None:
    # Not above: to import them takes seconds, and every worker imports what stands above.
    from cloudcoil.models.keda.v1alpha1 import ScaledObject
    from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

    judges = {model.__name__: model for model in (ScaledObject, PodMonitor, PrometheusRule)}
    judged = [one for one in render(everything=True).objects if one["kind"] in CUSTOM]

    assert {one["kind"] for one in judged} == set(judges) == set(CUSTOM)
    for one in judged:
        read = judges[one["kind"]].model_validate(one)
        known = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
        assert _paths(one) <= _paths(known)


def test_the_gateway_knows_every_field_of_the_route() -> None:
    tools = find_node_tools()
    if tools is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no models: `make node-tools`")
    (route,) = render(everything=True).of("HTTPRoute").values()

    done = tools.run("-e", ROUTE_CHECK, text=json.dumps(route))
    assert done.returncode == 0, done.stderr
    wrong = tools.run("-e", ROUTE_CHECK, text=json.dumps(route).replace("Exact", "Exakt"))
    assert "path/type must be equal to one of the allowed values" in wrong.stderr


def test_the_route_leads_to_the_receiver_as_it_is_and_never_elsewhere() -> None:
    everything = render(everything=True)
    (route,) = everything.of("HTTPRoute").values()
    matches = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    service = everything.of("Service")["receiver"]

    assert matches == [
        {"type": "Exact", "value": "/bitrix24/events"},
        {"type": "Exact", "value": "/bitrix24/install"},
    ]
    for rule in route["spec"]["rules"]:
        assert set(rule) == {"matches", "backendRefs"}  # no filters: a redirect would be one
        assert rule["backendRefs"] == [
            {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
        ]


def test_pods_are_restricted(rendered: Rendered) -> None:
    """As the standard `restricted` of pod security asks, and besides without a writable root."""
    for name, spec, _labels in rendered.pods():
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name
        kinds = {kind for volume in spec["volumes"] for kind in volume} - {"name"}
        assert kinds <= {"configMap", "emptyDir"}, name


def test_services_of_a_release_that_is_called_gateway_set_nothing() -> None:
    """What Kubernetes would set for the Services of a release `gateway` is passed over, too."""
    for name in render(everything=True).of("Service"):
        prefix = f"gateway-{name}".upper().replace("-", "_")
        assert is_service_link(f"{prefix}_SERVICE_HOST", "10.0.0.1")


def test_each_selector_finds_its_pods_and_no_others(rendered: Rendered) -> None:
    pods = {name: labels for name, _spec, labels in rendered.pods()}
    for kind in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
        for name, one in rendered.of(kind).items():
            selector = one["spec"]["selector"]
            wanted = selector.get("matchLabels", selector).items()
            found = [pod for pod, labels in pods.items() if wanted <= labels.items()]
            assert found == [name.removesuffix("-each")], (kind, name)


def test_who_keeps_something_has_a_volume_for_it_and_the_others_none() -> None:
    sets = render(everything=True).of("StatefulSet")

    assert set(sets) == {"receiver", "warehouse", "audit", "stock"}
    for one in sets.values():
        (claim,) = one["spec"]["volumeClaimTemplates"]
        mounted = one["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {"name": claim["metadata"]["name"], "mountPath": "/var/lib/gateway"} in mounted
        assert one["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }


def test_there_is_one_replica_more_than_partitions_at_most() -> None:
    scaled = render(everything=True).of("ScaledObject")

    assert set(scaled) == {"enricher", "stock"}
    assert {one["spec"]["maxReplicaCount"] for one in scaled.values()} == {5}
    (trigger,) = scaled["stock"]["spec"]["triggers"]
    assert trigger["metadata"]["query"] == (
        "sum(max by (group, partition) "
        '(b24_consumer_lag{namespace="events",group=~"stock|stock-prices"} >= 0))'
    )
    # Two would fight over the number of replicas.
    assert "replicas" not in render(everything=True).of("Deployment")["enricher"]["spec"]


def test_rules_and_dashboards_are_those_of_this_project() -> None:
    everything = render(everything=True)
    (rules,) = everything.of("PrometheusRule").values()
    shown = {
        name: json.loads(text)
        for one in everything.of("ConfigMap").values()
        for name, text in one["data"].items()
        if name.endswith(".json")
    }

    assert rules["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())
    assert shown == {
        path.name: json.loads(path.read_text())
        for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")
    }


def test_jobs_are_called_as_the_rules_know_them() -> None:
    (monitor,) = render(everything=True).of("PodMonitor").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())

    assert {one["replacement"] for one in endpoint["relabelings"]} == {
        job["job_name"] for job in config["scrape_configs"]
    }


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("receiver.replica=3", "'replica' not allowed"),
        ("partitions=0", "/partitions"),
        ("route.enabled=true", "/route/hostnames"),
        ("consumers.receiver.enabled=true", "propertyName 'receiver'"),
        ("consumers.notifier.secrets[0].env=A", "missing properties"),
    ],
)
def test_a_wrong_value_is_named(setting: str, said: str) -> None:
    done = helm("template", "acme", CHART, "--set", setting)

    assert done.returncode != 0
    assert said in done.stderr


def _paths(value: Any, path: str = "") -> set[str]:
    """The places of all leaves and tables."""
    if isinstance(value, dict):
        inside = [(f"{path}.{key}", one) for key, one in value.items()]
    elif isinstance(value, list):
        inside = [(f"{path}[{number}]", one) for number, one in enumerate(value)]
    else:
        inside = []
    return {path}.union(*(_paths(one, place) for place, one in inside))
