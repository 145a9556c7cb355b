"""Keeps libraries out of a process that others take up wherever they find them installed.

structlog imports rich, and with it pygments, when it is imported itself and whether anybody asks
for it or not: 65 modules, 6 MB and a tenth of the start of each process. None of our own processes
has a use for them, since gateway.logs shows tracebacks in the plain way.
"""

import sys
from typing import Final

__all__ = ["keep_out"]

_UNUSED: Final = ("rich",)


def keep_out() -> None:
    """Have whoever looks for one of these libraries from now on find that there is none.

    To be called before structlog is imported, and only by a process that runs nobody else's code:
    a service may well use them. One that has been imported stays. May be repeated.

    A module that is None cannot be imported:
    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
