"""What holds for all tests, and ruff cannot hold."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[2]
STARTS_PROCESSES = {
    "support/starting.py",
    "support/program.py",
    "support/postgres.py",
    "fuzz/php.py",
    "integration/deploy/bare/machine.py",
    "suite.py",
}


def test_a_file_of_tests_has_one_subject() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in TESTS.rglob("*.py")}

    assert {str(path.relative_to(TESTS)) for path, count in lines.items() if count > 300} == set()


def test_processes_are_started_where_somebody_ends_them() -> None:
    starting = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if starts(path)}

    assert {one for one in starting if not one.startswith("benchmarks/")} == STARTS_PROCESSES


def starts(path: Path) -> bool:
    """Whether a module calls Popen."""
    text = path.read_text()
    if "Popen" not in text:  # most of them, and reading syntax takes time
        return False
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return any("Popen" in ast.unparse(call.func) for call in calls)
