"""The wheel is the same whoever builds it, and has what runs and nothing else."""

import os
import shutil
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from gateway import __version__
from tests.reproducible_wheel import build
from tests.support.once import once
from tests.support.program import ROOT


def copied(directory: Path, *, mode: int) -> Path:
    """The source with other times and modes of files, and with what an earlier build has left."""
    for name in ("gateway", "consumers"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory / name)
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            os.utime(path, (1_700_000_000 + mode, 1_700_000_000 + mode))
    left = directory / "build" / "lib" / "gateway"
    left.mkdir(parents=True)
    (left / f"removed_{mode}.py").touch()
    return directory


def build_two(directory: Path) -> None:
    for mode in (0o644, 0o600):
        source = directory / f"source-{mode:o}"
        source.mkdir()
        build(directory / f"dist-{mode:o}", root=copied(source, mode=mode))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> list[Path]:
    """Two of them."""
    return list(once(tmp_path_factory, worker_id, "wheels", build_two).glob("dist-*/*.whl"))


def test_two_copies_of_the_source_make_the_same_bytes(wheels: list[Path]) -> None:
    one, other = wheels

    assert one.read_bytes() == other.read_bytes()


def test_the_wheel_has_all_that_is_beside_the_modules_and_no_tests(wheels: list[Path]) -> None:
    names = set(zipfile.ZipFile(wheels[0]).namelist())
    beside = {
        str(path.relative_to(ROOT))
        for package in ("gateway", "consumers")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert sorted(beside - names) == []
    assert {name.partition("/")[0] for name in names - beside} == {
        f"bitrix24_event_gateway-{__version__}.dist-info"
    }


def test_the_wheel_says_what_it_is(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(wheel.read(name).decode())

    assert (said["Name"], said["Version"]) == ("bitrix24-event-gateway", __version__)
    assert (said["License-Expression"], said["License-File"]) == ("MIT", "LICENSE")
    assert said["Requires-Python"] == ">=3.11"
    assert said["Summary"]
    assert said["Keywords"]
    assert "Topic :: Office/Business" in said.get_all("Classifier", [])
