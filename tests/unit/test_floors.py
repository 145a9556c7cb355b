"""The least versions that pyproject.toml allows: whether they have what the code asks of them.

The tests run with the versions of constraints.txt, so nothing else notices a floor that is too low.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
FIRST_WITH: Final = {
    # what stands in the code: the distribution, and the first version that has it
    "from apprise.exception import AppriseImproperlyConfigured": ("apprise", "2.0"),
    ".remove_by_labels(": ("prometheus-client", "0.24"),
}


def _floors() -> dict[str, Version]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    floors: dict[str, Version] = {}
    for requirement in map(Requirement, (line for lines in lists for line in lines)):
        for bound in requirement.specifier:
            if bound.operator == ">=":
                name = canonicalize_name(requirement.name)
                floors[name] = min(floors.get(name, Version(bound.version)), Version(bound.version))
    return floors


def _pinned() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (re.match(r"([\w.-]+)==([^\s;]+)", line) for line in lines)
    return {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins if pin}


@pytest.mark.parametrize("line", FIRST_WITH)
def test_the_floor_of_a_library_has_what_the_code_imports(line: str) -> None:
    name, first = FIRST_WITH[line]

    sources = [*ROOT.glob("consumers/**/*.py"), *ROOT.glob("gateway/**/*.py")]

    assert any(line in source.read_text() for source in sources), "nobody needs it any more"
    assert _floors()[name] >= Version(first)


def test_the_pinned_versions_satisfy_the_floors() -> None:
    pinned = _pinned()

    too_old = {name for name, floor in _floors().items() if name in pinned and pinned[name] < floor}

    assert not too_old
