"""The release is called the same wherever it is named."""

import re
import tomllib
from pathlib import Path

import yaml

from gateway import __version__

ROOT = Path(__file__).parents[2]


def found(pattern: str, file: str) -> set[str]:
    """What the group of the pattern is, wherever it stands in the file."""
    return set(re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE))


def test_everything_that_is_made_of_the_source_bears_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((ROOT / "deploy/helm/bitrix24-event-gateway/Chart.yaml").read_text())

    assert project["version"] == __version__
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert found(r'image\.version="(.*)"', "deploy/Containerfile") == {__version__}


def test_the_pages_name_the_wheel_that_is_built() -> None:
    assert found(r"bitrix24_event_gateway-([\d.]+)-py3", "docs/consumers.md") == {__version__}


def test_the_newest_release_of_the_changelog_is_this_one() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+)", text, re.MULTILINE)

    assert newest
    assert newest[1] == __version__
