"""What is short is read whole: files of one subject, functions that fit on a screen."""

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_MAX_FILE_LINES = 300
_MAX_CLASS_LINES = 199
_MAX_FUNCTION_LINES = 59


def lines_of(node: ast.stmt) -> int:
    """From its name to its end, without decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def sources() -> Iterator[tuple[str, str]]:
    """Each module's path and text."""
    for package in ("gateway", "consumers"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            yield str(path.relative_to(_ROOT)), path.read_text(encoding="utf-8")


def test_no_file_is_long() -> None:
    assert [name for name, text in sources() if text.count("\n") > _MAX_FILE_LINES] == []


def test_no_class_and_no_function_is_long() -> None:
    long = []
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                most = _MAX_CLASS_LINES
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                most = _MAX_FUNCTION_LINES
            else:
                continue
            if lines_of(node) > most:
                long.append(f"{name}: {node.name} has {lines_of(node)} lines")

    assert long == []
