"""Makes docs/licences.md: `python -m tests.licence_reference docs/licences.md`.

What an installation consists of follows from pyproject.toml; under which licence each part is, its
own metadata say.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["EXTRAS", "LicenceRow", "page", "rows"]

EXTRAS: Final = (
    "audit",
    "console",
    "embedded",
    "notifier",
    "tracing",
    "vault",
    "warehouse",
    "warehouse-postgres",
)
"""All that `all` has."""

_OURS: Final = "bitrix24-event-gateway"
_SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""How packages of before PEP 639 call their licences, and what these are called by SPDX."""
_INTRODUCTION: Final = """\
# Licences of what is installed

The gateway itself is under the [MIT licence](../LICENSE). An installation with `[all]` consists of
these besides; fewer extras need fewer. All of them may be used and passed on in closed products,
too; those under MPL-2.0 and LGPL ask that changes to *themselves* are published. A test refuses any
other licence until somebody has judged it. `make sbom` writes the same with versions and addresses,
as [CycloneDX](https://cyclonedx.org).

This page is made by `make docs` of the metadata of the packages that `constraints.txt` names.

| Package | Licence (SPDX) | Needed by |
|---|---|---|
"""


class LicenceRow(Struct, frozen=True, order=True):
    """A package, its licence, and for which extras it is needed: none where always."""

    package: str
    licence: str
    extras: tuple[str, ...]

    @property
    def line(self) -> str:
        """The row of the page."""
        return f"| {self.package} | {self.licence} | {', '.join(self.extras) or 'every process'} |"


def rows() -> list[LicenceRow]:
    """What is installed here of an installation with everything, by name."""
    of_all = set(_needed(""))
    by_name: dict[str, tuple[str, ...]] = dict.fromkeys(of_all, ())
    for extra in EXTRAS:
        for name in set(_needed(extra)) - of_all:
            by_name[name] = (*by_name.get(name, ()), extra)
    return sorted(
        LicenceRow(name, _licence(distribution(name)), extras) for name, extras in by_name.items()
    )


def page() -> str:
    """The page."""
    return _INTRODUCTION + "".join(f"{row.line}\n" for row in rows())


def _needed(extra: str) -> Iterator[str]:
    """What an extra of ours needs, directly and not; with none, what is needed always."""
    seen = {(_OURS, extra)}
    waiting = [*seen]
    while waiting:
        name, its_extra = waiting.pop()
        for text in distribution(name).requires or ():
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": its_extra}):
                continue
            for more in ("", *wanted.extras):
                one = (canonicalize_name(wanted.name), more)
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
    return (name for name, _ in seen if name != _OURS)


def _licence(package: Distribution) -> str:
    expression = _said(package, "License-Expression")
    if expression:
        return expression[0]
    classified = [
        one.rpartition(" :: ")[2]
        for one in _said(package, "Classifier")
        if one.startswith("License :: OSI Approved :: ")
    ]
    named = classified or [one.splitlines()[0] for one in _said(package, "License")]
    return " OR ".join(sorted({_SPDX.get(one, one) for one in named}))


def _said(package: Distribution, name: str) -> list[str]:
    return [str(one) for one in package.metadata.get_all(name) or ()]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
