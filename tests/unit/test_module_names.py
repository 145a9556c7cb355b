"""A file's name leads to one file, and a class's name to one class.

A name that stands in two places is listed here with what it means in all of them.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_MODULES = sorted(
    path
    for package in ("gateway", "consumers")
    for path in (_ROOT / package).rglob("*.py")
    if not path.stem.startswith("__")
)
_SHARED_MODULE_NAMES = {
    "assembly": "what a package's process or part needs, made of the settings",
    "cli": "the root of a command line, one for each of the two commands",
    "commands": "the commands about one consumer, in its package",
    "consumer": "the consumer itself, in each consumer's package and in the runtime",
    "errors": "the exceptions of a package",
    "events": "the events of the contract, and the command about those of Bitrix24",
    "metrics": "all metrics of a process, or of one consumer",
}
_SHARED_CLASS_NAMES: dict[str, str] = {}


@cache
def classes() -> list[tuple[str, Path]]:
    """The public classes of all modules."""
    return [
        (node.name, path)
        for path in _MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def doubled(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """The names that stand in several places, and where."""
    places = defaultdict(list)
    for name, path in named:
        places[name].append(str(path.relative_to(_ROOT)))
    return {name: where for name, where in places.items() if len(where) > 1}


def test_each_module_has_a_name_of_its_own() -> None:
    found = doubled((path.stem, path) for path in _MODULES)

    assert {name: found[name] for name in found.keys() - _SHARED_MODULE_NAMES.keys()} == {}


def test_each_class_has_a_name_of_its_own() -> None:
    found = doubled(classes())

    assert {name: found[name] for name in found.keys() - _SHARED_CLASS_NAMES.keys()} == {}


def test_no_module_is_called_by_a_word_that_says_nothing() -> None:
    empty = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}

    assert [path for path in _MODULES if not empty.isdisjoint(path.stem.split("_"))] == []


def test_no_name_is_listed_for_nothing() -> None:
    modules = doubled((path.stem, path) for path in _MODULES)

    assert modules.keys() >= _SHARED_MODULE_NAMES.keys()
    assert doubled(classes()).keys() >= _SHARED_CLASS_NAMES.keys()
