"""Which Pythons are claimed: everybody who says it says the same."""

import re
from pathlib import Path

import pytest

from tests.pythons import claimed, interpreter

ROOT = Path(__file__).parents[2]


def test_the_readme_names_the_pythons_that_are_claimed() -> None:
    (said,) = re.findall(r"^Python ([\d., or]+) \(", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert re.findall(r"3\.\d+", said) == claimed()


def test_the_image_has_a_python_that_is_claimed() -> None:
    containerfile = (ROOT / "deploy" / "Containerfile").read_text()
    (version,) = re.findall(r"^ARG BASE=\S*/python:([\d.]+)-", containerfile, re.MULTILINE)

    assert version in claimed()


def test_a_python_that_only_bears_the_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.14"
    shim.write_text("#!/bin/sh\necho 'python3.14: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert interpreter("3.14") is None
