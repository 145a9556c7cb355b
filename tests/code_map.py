"""Writes the list of all modules into docs/map.md, below what people have written there.

`python -m tests.code_map docs/map.md`, which is part of `make docs`. A module's line is the first
paragraph of its docstring, a script's is the first sentence of its comment.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["HEADING", "with_list"]

HEADING = "## Every module"
_ROOT = Path(__file__).parents[1]
_NOTE = "This list is made of the modules' docstrings by `make docs`."


def with_list(page: str) -> str:
    """The page with its list as the code is now."""
    written, heading, _ = page.partition(f"{HEADING}\n")
    return "\n".join([f"{written}{heading}", _NOTE, *_packages()])


def _packages() -> Iterator[str]:
    for top in ("gateway", "consumers"):
        for package in sorted((_ROOT / top).rglob("__init__.py")):
            yield from ("", f"### {package.parent.relative_to(_ROOT)}", "", _summary(package), "")
            yield from _modules(package.parent)
    yield ""


def _modules(folder: Path) -> Iterator[str]:
    """A line for each module in a folder, and for each script, also of its folder `lua`."""
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in (*modules, *sorted(folder.glob("*.lua")), *sorted(folder.glob("lua/*.lua"))):
        link = f"[`{path.relative_to(folder)}`](../{path.relative_to(_ROOT)})"
        yield f"- {link}: {_summary(path)}"


def _summary(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".lua":
        comment = " ".join(re.findall(r"^-- ?(.*)$", text, re.MULTILINE))
        return comment.partition(". ")[0].removesuffix(".") + "."
    docstring = ast.get_docstring(ast.parse(text)) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_list(file.read_text(encoding="utf-8")), encoding="utf-8")
