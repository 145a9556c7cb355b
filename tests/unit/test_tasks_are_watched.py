"""No background task is started but by gateway.background, or in a group that awaits it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_STARTS = {"create_task", "ensure_future"}
_ALLOWED = {"gateway/background.py"}


def unwatched(source: str) -> list[int]:
    """The lines on which a task is started that nobody watches."""
    tree = ast.parse(source)
    groups = {
        call
        for block in ast.walk(tree)
        if isinstance(block, ast.AsyncWith)
        for name in _groups_of(block)
        for call in _starts_in(block)
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
    }
    return [call.lineno for call in _starts_in(tree) if call not in groups]


def _groups_of(block: ast.AsyncWith) -> Iterator[str]:
    """The names under which a block has an `asyncio.TaskGroup()` of its own."""
    for item in block.items:
        made, name = item.context_expr, item.optional_vars
        if (
            isinstance(made, ast.Call)
            and ast.unparse(made.func) == "asyncio.TaskGroup"
            and isinstance(name, ast.Name)
        ):
            yield name.id


def _starts_in(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in _STARTS:
                yield node


def test_no_task_is_started_that_nobody_watches() -> None:
    found = [
        f"{path.relative_to(_ROOT)}:{line}"
        for package in ("gateway", "consumers")
        for path in sorted((_ROOT / package).rglob("*.py"))
        if str(path.relative_to(_ROOT)) not in _ALLOWED
        for line in unwatched(path.read_text(encoding="utf-8"))
    ]

    assert found == [], "use gateway.background"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("asyncio.create_task(run())", [1]),
        ("self._loop.create_task(run())", [1]),
        ("from asyncio import ensure_future\nensure_future(run())", [2]),
        ("async def f():\n async with asyncio.TaskGroup() as group:\n  group.create_task(g())", []),
        ("async def f():\n async with other() as group:\n  group.create_task(g())", [3]),
        ("async def f():\n async with a(), asyncio.TaskGroup() as b:\n  c.create_task(g())", [3]),
    ],
)
def test_every_way_of_starting_one_is_found(source: str, lines: list[int]) -> None:
    assert unwatched(source) == lines
