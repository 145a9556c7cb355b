"""The table of faults in docs/reliability.md is whole, and names tests that are run."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (\d+) \|.*\| (`.*) \|$", re.MULTILINE)

ROWS = {
    int(number): re.findall(r"`([^`]+)`", tests)
    for number, tests in _ROW.findall((ROOT / "docs" / "reliability.md").read_text())
}
OF_CONSUMERS = {6, 7, 8, 9, *range(12, 28)}


def test_no_fault_is_missing() -> None:
    assert sorted(ROWS) == list(range(1, 43))
    assert all(ROWS.values())


@pytest.mark.parametrize("number", sorted(ROWS))
def test_each_fault_has_the_tests_that_the_table_names(number: int) -> None:
    for name in ROWS[number]:
        path, _, function = name.partition("::")
        assert function in functions_of(ROOT / path), name


@pytest.mark.parametrize("number", sorted(OF_CONSUMERS))
def test_the_faults_of_consumers_are_tried_on_every_server(number: int) -> None:
    """What `make test-faults` runs on each is what asks for a stage, or for a server there."""
    (command,) = re.findall(r"pytest (tests/faults .*) -m matrix", (ROOT / "Makefile").read_text())
    for name in ROWS[number]:
        path, _, function = name.partition("::")
        assert any(path.startswith(directory) for directory in command.split())
        arguments = functions_of(ROOT / path)[function]
        assert arguments & {"stage", "scene", "redis", "redis_url", "own_server", "sentinel_url"}


def functions_of(path: Path) -> dict[str, set[str]]:
    """The test functions of a file, and what each asks for."""
    return {
        node.name: {argument.arg for argument in node.args.args}
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }
