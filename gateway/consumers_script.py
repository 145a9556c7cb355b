"""Starts the command `consumers`, or says what hides the package of this name.

It stands outside of that package, which nobody gets at where a module of one's own has its name and
is found first, as with `PYTHONPATH=.`; and it imports nothing of it before that is known.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

__all__ = ["main"]

_PACKAGE: Final = "consumers"
_OURS: Final = Path(__file__).parents[1] / _PACKAGE / "__init__.py"
"""Both packages are installed side by side."""


def main() -> None:
    """The console script; exit code 2, and one line, if the package is hidden."""
    found = find_spec(_PACKAGE)
    origin = found.origin if found else None
    if origin is None or Path(origin) != _OURS:
        what = origin or "a directory of this name"
        click.echo(
            f"{_PACKAGE}: {what} hides the package {_PACKAGE!r} of the gateway: rename it, "
            "or leave its directory out of PYTHONPATH",
            err=True,
        )
        sys.exit(2)
    import_module(f"{_PACKAGE}.cli").main()
