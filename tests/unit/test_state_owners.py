"""Every kind of key in Redis has a row in docs/architecture.md that says who writes it.

A key begins with `[redis] prefix`; the word behind it is its kind, such as `lease`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGES = (_ROOT / "gateway", _ROOT / "consumers")
_MODULES = [path for package in _PACKAGES for path in sorted(package.rglob("*.py"))]
_PAGE = (_ROOT / "docs/architecture.md").read_text(encoding="utf-8")
_TABLE = _PAGE[_PAGE.index("| State | Where | Owner |") :].partition("\n\n")[0]
_KIND = re.compile(r":(\{?[a-z][a-z-]*\}?)(?=$|[:{])")
# Their kind comes from elsewhere: from `Streams.key`, whose streams are two, and from modules that
# read or erase keys whose owners are others.
_STREAMS = {"events", "comments"}
_OF_OTHERS = {
    "gateway/backup/redis_capture.py",
    "gateway/backup/redis_restoring.py",
    "gateway/contract/streams.py",
    "gateway/doctor/redis_roles.py",
    "gateway/erasing/places.py",
    "gateway/vault/resealing.py",
}


def kinds_in(source: str) -> Iterator[str | None]:
    """The kinds of the keys that a module makes; None for one that cannot be told."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr) or len(node.values) < 2:
            continue
        first, second, *_ = node.values
        if (
            isinstance(first, ast.FormattedValue)
            and ast.unparse(first.value).endswith("prefix")
            and isinstance(second, ast.Constant)
            and str(second.value).startswith(":")
        ):
            match = _KIND.match(str(second.value))
            yield match[1] if match else None


def owners() -> dict[str, str]:
    """What the table says of each kind: the last cell of its row."""
    found = {}
    for row in _TABLE.splitlines()[2:]:
        _, where, owner = row.strip("| ").split(" | ")
        found.update(dict.fromkeys(re.findall(r"`b24:(\{?[a-z-]+\}?)", where), owner))
    return found


@pytest.fixture(scope="module")
def made() -> set[str]:
    found = set(_STREAMS)
    for path in _MODULES:
        name = str(path.relative_to(_ROOT))
        for kind in kinds_in(path.read_text(encoding="utf-8")):
            assert kind is not None or name in _OF_OTHERS, f"{name} makes a key of no kind"
            found.update([kind] if kind else [])
    return found


def test_each_kind_of_key_has_an_owner(made: set[str]) -> None:
    assert len(made) > 20
    assert sorted(made - owners().keys()) == []
    assert all(owner.strip() for owner in owners().values())


def test_the_table_names_no_key_that_nobody_makes(made: set[str]) -> None:
    assert sorted(owners().keys() - made) == []


def test_each_state_is_judged_on_the_page_of_personal_data() -> None:
    page = (_ROOT / "docs/personal-data.md").read_text(encoding="utf-8")
    judged = set(re.findall(r"`b24:(\{?[a-z-]+\}?)", page))
    places = [row.strip("| ").split(" | ")[1] for row in _TABLE.splitlines()[2:]]
    files = set(re.findall(r"`([a-z]+)(?:[-.][^`]*)?`", " ".join(p for p in places if "dir`" in p)))

    assert sorted(owners().keys() - judged) == []
    assert sorted(judged - owners().keys()) == []
    assert files >= {"known", "ledger", "lifecycle", "portals", "senders"}
    assert [name for name in sorted(files) if f"`{name}" not in page] == []


def test_each_script_that_the_table_names_is_there() -> None:
    scripts = {path.name for package in _PACKAGES for path in package.rglob("*.lua")}

    assert set(re.findall(r"`([a-z_]+\.lua)`", _TABLE)) <= scripts


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ('f"{prefix}:spools"', ["spools"]),
        ('f"{self._prefix}:oauth:{{{member_id}}}"', ["oauth"]),
        ('f"{self._streams.prefix}:told-position"', ["told-position"]),
        ('f"{prefix}:{{portals}}:facts"', ["{portals}"]),
        ('f"{self._prefix}:{box.pattern}"', [None]),
        ('f"{settings.redis.prefix}"', []),
        ('f"{portal}:{entity}"', []),
    ],
)
def test_keys_are_found_in_a_module(source: str, kinds: list[str | None]) -> None:
    assert list(kinds_in(source)) == kinds
