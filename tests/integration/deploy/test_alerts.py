"""The alerts: they are read, fire when they should, and lead to a page that says what to do."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metric_reference import all_rows
from tests.support.promtool import find_promtool

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]


def promtool(*arguments: str) -> str:
    found = find_promtool()
    if found is None:
        if "CI" in os.environ:
            pytest.fail("no promtool: `make promtool` unpacks one")
        pytest.skip("no promtool: `make promtool` unpacks one")
    done = subprocess.run(
        [found, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_configuration_and_the_rules() -> None:
    said = promtool("check", "config", "prometheus.yml")

    assert f"{len(RULES)} rules found" in said


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", "rules.test.yml")


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
    fired = {
        one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]
    }

    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    asked = re.findall(r"\bb24\w+", re.sub(r'"[^"]*"', "", rule["expr"]))

    assert set(asked) <= {row.name for row in all_rows()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_page_that_names_it(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook"]
    text = page.read_text()

    assert f"`{rule['alert']}`" in text
    for heading in ("What you see.", "Why.", "What to do.", "When to wake somebody."):
        assert f"**{heading}**" in text


def test_the_runbook_lists_every_page_with_its_alerts() -> None:
    index = (RUNBOOK / "README.md").read_text()

    assert {path.name for path in RUNBOOK.glob("*.md")} == {
        "README.md",
        *re.findall(r"\]\(([\w-]+\.md)\)", index),
    }
    for rule in RULES:
        assert f"`{rule['alert']}` ({rule['labels']['severity']})" in index
