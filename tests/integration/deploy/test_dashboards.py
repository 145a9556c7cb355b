"""The dashboards: made of the code, of metrics that there are, with queries that can be read."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.building import dashboards
from tests.metric_reference import all_rows
from tests.support.promtool import find_promtool

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana"
MADE = dashboards()


def queries(text: str) -> Iterator[str]:
    for panel in json.loads(text)["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_the_dashboards_are_those_of_the_code() -> None:
    committed = {path.name: path.read_text() for path in (FOLDER / "dashboards").glob("*.json")}

    assert committed == MADE, "run `make docs`"


@pytest.mark.parametrize("name", MADE)
def test_a_dashboard_asks_for_metrics_that_there_are(name: str) -> None:
    there = {
        suffixed
        for row in all_rows()
        for suffixed in ([f"{row.name}_bucket"] if row.kind == "histogram" else [row.name])
    }
    asked = {
        metric
        for query in queries(MADE[name])
        for metric in re.findall(r"\bb24\w+", re.sub(r'"[^"]*"', "", query))
    }

    assert asked
    assert asked <= there


@pytest.mark.parametrize("name", MADE)
def test_a_dashboard_has_whole_panels(name: str) -> None:
    made: dict[str, Any] = json.loads(MADE[name])
    panels = [one for one in made["panels"] if one["type"] != "row"]

    assert len({one["title"] for one in panels}) == len(panels)
    assert all(one["description"] and one["targets"] for one in panels)
    # Nothing lies over anything else, and nothing beside the grid.
    places = [one["gridPos"] for one in made["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _y in cells)


def test_prometheus_can_read_each_query(tmp_path: Path) -> None:
    found = find_promtool()
    if found is None:
        if "CI" in os.environ:
            pytest.fail("no promtool: `make promtool` unpacks one")
        pytest.skip("no promtool: `make promtool` unpacks one")
    rules = [
        {"record": f"query_{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(query for text in MADE.values() for query in queries(text))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run(
        [found, "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_files_are_provisioned_from_where_the_page_puts_them() -> None:
    provider = yaml.safe_load((FOLDER / "provisioning" / "dashboards.yml").read_text())
    path = provider["providers"][0]["options"]["path"]

    assert path in (FOLDER / "README.md").read_text()
