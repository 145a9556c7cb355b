"""Each script for Redis is a file beside its owner, and only gateway.redis_access.lua reads it."""

import re
from pathlib import Path

import pytest

from gateway.redis_access import lua

_ROOT = Path(__file__).parents[2]
_PACKAGES = (_ROOT / "gateway", _ROOT / "consumers")
_SOURCES = [path for package in _PACKAGES for path in sorted(package.rglob("*.py"))]
_SCRIPTS = [path for package in _PACKAGES for path in sorted(package.rglob("*.lua"))]
_FUNCTIONS = {"before.lua", "named.lua", "refused.lua"}
_READ_ONLY = {
    "capture.lua",
    "count_entries.lua",
    "group_balance.lua",
    "clock.lua",
    "inspect.lua",
    "look.lua",
    "read_processes.lua",
    "read_spools.lua",
}


@pytest.mark.parametrize("word", ["redis.call", "#!lua ", "register_script", "redis.pcall"])
def test_no_module_holds_a_script_or_loads_one_by_itself(word: str) -> None:
    holders = [
        str(path.relative_to(_ROOT))
        for path in _SOURCES
        if word in path.read_text(encoding="utf-8")
    ]

    assert holders in ([], ["gateway/redis_access/lua.py"])


@pytest.mark.parametrize(
    "path", [one for one in _SCRIPTS if one.name not in _FUNCTIONS], ids=lambda path: path.name
)
def test_each_script_says_what_it_does_and_has_an_owner(path: Path) -> None:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    flags, comment = (head, lines[0]) if head.startswith("#!") else ("", head)
    package = path.parent if path.parent.name != "lua" else path.parent.parent
    owners = "".join(module.read_text(encoding="utf-8") for module in package.glob("*.py"))

    assert re.fullmatch(r"(#!lua( flags=[a-z,-]+)?)?", flags)
    assert comment.startswith("-- ")
    assert re.search(rf'"(lua/)?{path.stem}(\.lua)?"', owners), "nothing of its package names it"
    assert ("no-writes" in flags) == (path.name in _READ_ONLY)


@pytest.mark.parametrize("name", sorted(_FUNCTIONS))
def test_a_function_that_scripts_share_stands_in_each_that_uses_it(name: str) -> None:
    function = name.removesuffix(".lua")
    users = [path for path in _SCRIPTS if f"\n-- uses: {function}\n" in path.read_text("utf-8")]

    assert len(users) > 1
    for path in users:
        package = ".".join(path.parent.relative_to(_ROOT).parts)
        text = lua.source(package, path.name)
        assert text.index(f"local function {function}(") < text.rindex(f" {function}(")
        assert "-- uses:" not in text
