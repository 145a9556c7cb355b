"""Judges what drivers raise: why a destination did not do what was asked. Does no I/O.

Every destination brings a driver with exceptions of its own, which dlt wraps. Judged are DuckDB's
and, by SQLSTATE, those of PostgreSQL; whatever is not known here passes for a destination that is
away, which is tried again for ever and loses nothing.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.errors import GatewayError

__all__ = ["DestinationAway", "LackingTable", "RowsRefused", "Unusable", "cause_of", "refusal"]


class DestinationAway(GatewayError):
    """The destination cannot be used now: unreachable, locked, full. Try again later."""


class LackingTable(DestinationAway):
    """A table, a view or a column is not there, or not any more. To be made before trying again."""


class Unusable(DestinationAway):
    """The destination refuses until somebody changes something there; the message says what."""


class RowsRefused(GatewayError):
    """The destination works, and cannot take these rows: each of them alone, or fewer, may pass.

    `for_memory` if they only were too much at once.
    """

    def __init__(self, why: str, *, for_memory: bool) -> None:
        super().__init__(why)
        self.for_memory = for_memory


# SQLSTATE or its class, https://www.postgresql.org/docs/current/errcodes-appendix.html
_LACKING: Final = (
    *("42P01", "42703", "3F000"),
    *("CatalogException", "BinderException"),
    "DestinationUndefinedEntity",
)
_ROWS: Final = ("22", "54")
_OUT_OF_MEMORY: Final = "53200"
_CODES: Final = {
    "42501": "give its user the right that is named",
    "25006": "it is read-only: name the primary server, or let its user write",
}
# What is said before there is a session, in English whatever the server's language.
_PHRASES: Final = (
    (r"password authentication failed|no password supplied", "mend the password in the URL"),
    (r"role \".*\" does not exist", "make the user, or mend its name in the URL"),
    (r"database \".*\" does not exist", "make the database, or mend its name in the URL"),
    (r"no pg_hba\.conf entry", "let the server admit this machine in pg_hba.conf"),
    (
        r"can only read versions between",
        "a newer DuckDB wrote the file: install a version of DuckDB that is as new",
    ),
    (r"not a valid DuckDB database file", "name another file, or move this one away"),
    (r"Permission denied|Read-only file system", "let this user write the file and its directory"),
)


def refusal(error: BaseException) -> GatewayError:
    """What this exception means: DestinationAway and its kinds, or RowsRefused."""
    why = cause_of(error)
    for one in _chain(error):
        # By their names: neither dlt nor a driver is imported for it.
        names = {base.__name__ for base in type(one).__mro__}
        code = str(getattr(one, "pgcode", None) or "")
        if "OutOfMemoryException" in names or code == _OUT_OF_MEMORY:
            return RowsRefused(why, for_memory=True)
        if code.startswith(_ROWS):
            return RowsRefused(why, for_memory=False)
        if code in _LACKING or not names.isdisjoint(_LACKING):
            return LackingTable(why)
        if code in _CODES:
            return Unusable(f"{why}: {_CODES[code]}")
        for phrase, remedy in _PHRASES:
            if re.search(phrase, str(one)):
                return Unusable(f"{why}: {remedy}")
    return DestinationAway(why)


def cause_of(error: BaseException) -> str:
    """The first line of the innermost exception: dlt wraps it in pages that may quote rows."""
    *_, innermost = _chain(error)
    first = (str(innermost).splitlines() or [""])[0]
    return f"{type(innermost).__name__}: {first[:200]}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it, the outermost first."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        inner = inner.__cause__ or inner.__context__
