"""Each script for Redis is a file beside its owner, and only gateway.redis_access.lua reads it."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGES = (_ROOT / "gateway", _ROOT / "consumers")
_SOURCES = [path for package in _PACKAGES for path in sorted(package.rglob("*.py"))]
_SCRIPTS = [path for package in _PACKAGES for path in sorted(package.rglob("*.lua"))]
_READ_ONLY = {"count_entries.lua", "clock.lua", "inspect.lua", "look.lua", "read_spools.lua"}


@pytest.mark.parametrize("word", ["redis.call", "#!lua ", "register_script", "redis.pcall"])
def test_no_module_holds_a_script_or_loads_one_by_itself(word: str) -> None:
    holders = [
        str(path.relative_to(_ROOT))
        for path in _SOURCES
        if word in path.read_text(encoding="utf-8")
    ]

    assert holders in ([], ["gateway/redis_access/lua.py"])


@pytest.mark.parametrize("path", _SCRIPTS, ids=lambda path: path.name)
def test_each_script_says_what_it_does_and_has_an_owner(path: Path) -> None:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    flags, comment = (head, lines[0]) if head.startswith("#!") else ("", head)
    package = path.parent if path.parent.name != "lua" else path.parent.parent
    owners = "".join(module.read_text(encoding="utf-8") for module in package.glob("*.py"))

    assert re.fullmatch(r"(#!lua( flags=[a-z,-]+)?)?", flags)
    assert comment.startswith("-- ")
    assert re.search(rf'"(lua/)?{path.stem}(\.lua)?"', owners), "nothing of its package names it"
    assert ("no-writes" in flags) == (path.name in _READ_ONLY)
