"""docs/map.md leads to files that are there, and lists all modules as they are."""

import re
from pathlib import Path

import pytest

from tests.code_map import HEADING, with_list

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs/map.md").read_text(encoding="utf-8")
_WRITTEN = _PAGE.partition(HEADING)[0]


def test_the_list_is_what_make_docs_writes() -> None:
    assert with_list(_PAGE) == _PAGE, "make docs"


@pytest.mark.parametrize("package", ["gateway", "consumers"])
def test_every_module_and_script_is_listed(package: str) -> None:
    paths = [path for path in (_ROOT / package).rglob("*") if path.suffix in {".py", ".lua"}]
    listed = set(re.findall(r"\]\(\.\./([\w/.]+)\)", _PAGE))

    assert {str(path.relative_to(_ROOT)) for path in paths if path.name != "__init__.py"} == {
        name for name in listed if name.startswith(f"{package}/")
    }


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:gateway|consumers|tests|docs)/[\w/.]+)`", _WRITTEN))

    assert len(named) > 50
    assert sorted(name for name in named if not (_ROOT / name).exists()) == []
