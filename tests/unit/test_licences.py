"""What an installation consists of may be used and passed on, and its page says so."""

import re
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from tests.licence_reference import rows

_ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (_ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
_PERMISSIVE: Final = {
    "AFL-2.1",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "MIT",
    "MIT-0",
    "PSF-2.0",
}
_JUDGED: Final = {
    "certifi": "MPL-2.0",
    "orjson": "MPL-2.0",
    "psycopg2-binary": "LGPL-3.0-or-later",
}
"""Whose own files stay under their licence; what uses them need not be."""


def test_each_licence_is_permissive_or_was_judged() -> None:
    found = {row.package: set(re.split(r" (?:AND|OR) ", row.licence.strip("()"))) for row in rows()}
    others = {
        name: {one.strip("()") for one in licences} - _PERMISSIVE
        for name, licences in found.items()
    }

    assert {name: left for name, left in others.items() if left} == {
        name: {licence} for name, licence in _JUDGED.items()
    }


def test_the_page_has_what_is_installed_here() -> None:
    """What else needs a package, differs with the Python."""
    lines = [f"\n| {row.package} | {row.licence} |" for row in rows()]
    missing = [line for line in lines if line not in PAGE]

    assert missing == [], "run `make docs`"


def test_the_page_names_nothing_that_is_not_installed_anywhere() -> None:
    pinned = {
        canonicalize_name(line.partition("==")[0])
        for line in (_ROOT / "constraints.txt").read_text().splitlines()
    }

    assert sorted(set(re.findall(r"^\| ([a-z0-9-]+) \|", PAGE, re.MULTILINE)) - pinned) == []
