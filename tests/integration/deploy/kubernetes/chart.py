"""Renders deploy/helm/bitrix24-event-gateway by the real helm, and finds its way in what comes."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.integration.deploy.files import DEPLOY
from tests.support.helm import find_helm

__all__ = ["CHART", "EVERYTHING", "Rendered", "helm", "render"]

CHART: Final = DEPLOY / "helm" / "bitrix24-event-gateway"
EVERYTHING: Final = Path(__file__).with_name("everything.yaml")
"""Values with which every template has something to say."""


class Rendered:
    """The objects of a release `acme` in the namespace `events`."""

    def __init__(self, text: str) -> None:
        self.objects: list[dict[str, Any]] = [one for one in yaml.safe_load_all(text) if one]

    def of(self, kind: str) -> dict[str, Any]:
        """Those of a kind, by their names without the release's."""
        return {
            one["metadata"]["name"].removeprefix("acme-gateway").removeprefix("-"): one
            for one in self.objects
            if one["kind"] == kind
        }

    def pods(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """(name, pod's specification, labels) of everything that becomes a pod."""
        for one in self.objects:
            name = one["metadata"]["name"].removeprefix("acme-gateway-")
            if one["kind"] in ("Deployment", "StatefulSet"):
                template = one["spec"]["template"]
                yield name, template["spec"], template["metadata"]["labels"]
            elif one["kind"] == "Pod":
                yield name, one["spec"], one["metadata"]["labels"]

    def pod(self, name: str) -> dict[str, Any]:
        """The specification of one."""
        return {its_name: spec for its_name, spec, _ in self.pods()}[name]

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a pod's container that stand in the chart itself."""
        (container,) = self.pod(name)["containers"]
        return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What helm says; skips the test where there is none, but not in CI."""
    found = find_helm()
    if found is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("no helm: `make helm` unpacks one")
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@cache
def render(*settings: str, everything: bool = False) -> Rendered:
    """The chart with its defaults, or everything in it switched on, and `--set` of these."""
    values = ("--values", EVERYTHING) if everything else ()
    sets = [part for setting in settings for part in ("--set", setting)]
    done = helm("template", "acme", CHART, "--namespace", "events", *values, *sets)
    assert done.returncode == 0, done.stderr
    return Rendered(done.stdout)
