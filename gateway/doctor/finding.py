"""Defines what an examination finds."""

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Finding", "Severity", "note", "red", "warning", "well"]

Severity: TypeAlias = Literal["red", "warning", "note", "well"]
"""`red`: events are lost, refused or read by others, or will be. `warning`: they may be. `note`:
something to know, such as what could not be looked at."""


class Finding(Struct, frozen=True, kw_only=True):
    """Says what one check found, and what an operator does about it (empty: nothing)."""

    check: str
    severity: Severity
    what: str
    remedy: str = ""


def red(check: str, what: str, remedy: str) -> Finding:
    """A finding that has to be mended."""
    return Finding(check=check, severity="red", what=what, remedy=remedy)


def warning(check: str, what: str, remedy: str) -> Finding:
    """A finding that should be mended."""
    return Finding(check=check, severity="warning", what=what, remedy=remedy)


def note(check: str, what: str, remedy: str = "") -> Finding:
    """A finding that is worth knowing."""
    return Finding(check=check, severity="note", what=what, remedy=remedy)


def well(check: str, what: str) -> Finding:
    """A check that found nothing; `what` says what was looked at."""
    return Finding(check=check, severity="well", what=what)
