"""What is installed is pinned with hashes, and the files of requirements/ belong together."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.pinned_requirements import CONSTRAINTS, DIRECTORY, FILES, chain, packages

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = PROJECT["project"]["name"]


def of(name: str) -> dict[str, str]:
    """The lines of each package of a file and of all that it adds to."""
    return {
        package: lines
        for one in chain(name)
        for package, lines in packages((DIRECTORY / f"{one}.txt").read_text()).items()
    }


def wanted(requirements: list[str]) -> list[Requirement]:
    """The requirements with those of our own extras in place of these."""
    found = []
    for requirement in map(Requirement, requirements):
        if canonicalize_name(requirement.name) == OURS:
            for extra in requirement.extras:
                found += wanted(PROJECT["project"]["optional-dependencies"][extra])
        else:
            found.append(requirement)
    return found


def asked(name: str) -> list[Requirement]:
    """What pyproject.toml asks for where a file is installed."""
    file = FILES[name]
    if not file.extras:
        return wanted(
            [one for one in PROJECT["dependency-groups"]["build"] if isinstance(one, str)]
        )
    extras = [f"{OURS}[{extra}]" for extra in file.extras]
    return wanted([*PROJECT["project"]["dependencies"], *extras])


def test_each_file_there_is_made_by_the_program() -> None:
    assert {path.stem for path in DIRECTORY.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_what_is_asked_for_in_versions_that_are_admitted(name: str) -> None:
    pinned = of(name)

    for requirement in asked(name):
        lines = pinned[canonicalize_name(requirement.name)]
        versions = re.findall(r"^[\w.-]+==(\S+)", lines, re.MULTILINE)
        assert all(requirement.specifier.contains(Version(one)) for one in versions), requirement


@pytest.mark.parametrize("name", FILES)
def test_every_line_of_a_file_is_pinned_and_has_hashes(name: str) -> None:
    text = (DIRECTORY / f"{name}.txt").read_text()
    found = packages(text)
    rest = text
    for lines in found.values():
        rest = rest.replace(lines, "")

    assert all(
        re.search(r"^    --hash=sha256:[0-9a-f]{64}", lines, re.MULTILINE)
        for lines in found.values()
    )
    below = FILES[name].below
    options = [line for line in rest.splitlines() if not line.startswith("#")]
    assert options == ["--only-binary :all:", *([f"-r {below}.txt"] if below else [])]


def test_a_package_stands_once_in_what_is_installed_together() -> None:
    for name in FILES:
        own = packages((DIRECTORY / f"{name}.txt").read_text()).keys()
        below = FILES[name].below
        assert not own & (of(below).keys() if below else set())


def test_the_constraints_have_the_same_versions_and_nothing_else() -> None:
    constraints = packages(CONSTRAINTS.read_text())
    hashed = {package: lines for name in FILES for package, lines in of(name).items()}

    assert constraints == {
        package: re.sub(r" \\\n    --hash=\S+", "", lines) for package, lines in hashed.items()
    }


@pytest.mark.parametrize("file", ["Makefile", "deploy/Containerfile", "tests/pythons.py"])
def test_nothing_is_installed_without_hashes(file: str) -> None:
    """But for the oldest and newest versions, which are tried in environments of their own."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    installing = [
        line
        for line in text.splitlines()
        if re.search(r"\binstall\b", line) and re.search(r"\bpip\b|\$\(PIP\)", line)
    ]
    unchecked = [line for line in installing if not re.search(r"--require-hashes|--no-deps", line)]

    assert installing
    assert [line for line in unchecked if "$(FLOORS)" not in line] == []
