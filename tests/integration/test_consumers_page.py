"""What docs/consumers.md prints runs as it is printed: a service, its settings and its tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "consumers.md"
_BLOCK = re.compile(r"```(?:python|toml)\n# (?P<name>[\w.]+)\n(?P<text>.*?)```", re.DOTALL)


def printed() -> dict[str, list[str]]:
    """The files that the page prints, each with all its versions in their order."""
    files: dict[str, list[str]] = {}
    for block in _BLOCK.finditer(PAGE.read_text()):
        files.setdefault(block["name"], []).append(block["text"])
    return files


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        # mypy does not find packages that are installed in place
        env={**os.environ, "MYPYPATH": str(PAGE.parents[1])},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_printed_tests_pass_as_printed(tmp_path: Path) -> None:
    files = printed()
    for name in ("search_index.py", "pyproject.toml", "conftest.py", "test_index.py"):
        (tmp_path / name).write_text(files[name][0])

    # cloudcoil, a tool of other tests, has a plugin that needs what it does not install
    without = [
        word for name in ("cacheprovider", "xdist", "cloudcoil") for word in ("-p", f"no:{name}")
    ]
    done = run(tmp_path, "-m", "pytest", "-q", *without)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_printed_files_are_what_type_checkers_accept(tmp_path: Path) -> None:
    files = printed()
    for name in ("search_index.py", "sales.py", "conftest.py", "test_index.py"):
        (tmp_path / name).write_text(files[name][0])

    done = run(tmp_path, "-m", "mypy", "--strict", "search_index.py", "sales.py", "test_index.py")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", range(len(printed()["search_index.py"])))
def test_every_printed_service_can_be_loaded(tmp_path: Path, version: int) -> None:
    (tmp_path / "search_index.py").write_text(printed()["search_index.py"][version])

    done = run(
        tmp_path,
        "-c",
        "from consumers.runtime.consumer_lookup import load_consumer\n"
        "from consumers.runtime.consumer_checks import refuse_idle\n"
        "from gateway.settings import Settings\n"
        "refuse_idle(load_consumer('search_index:app', Settings()))",
    )

    assert done.returncode == 0, done.stderr


def test_printed_services_are_ready_for_what_may_come(tmp_path: Path) -> None:
    readme = re.findall(
        r"```python\n(.*?)```", (PAGE.parents[1] / "README.md").read_text(), re.DOTALL
    )
    services = [printed()[name][0] for name in ("search_index.py", "sales.py")]
    for number, text in enumerate([*services, *readme]):
        (tmp_path / f"service_{number}.py").write_text(text)

        done = run(tmp_path, "-m", "consumers", "check", f"service_{number}:app", "--yes")

        assert done.returncode == 0, done.stdout + done.stderr
