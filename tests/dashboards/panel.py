"""Defines what a dashboard is made of."""

from typing import Final

from msgspec import Struct

__all__ = ["GROUP", "Panel", "Rows"]

GROUP: Final = 'group=~"$group"'
"""Chooses the groups that are chosen above the panels."""


class Panel(Struct, frozen=True, kw_only=True):
    """A panel: what it asks (legend to query), in which unit, and what it is there for.

    `red_from`: a single number instead of curves, which is red from there on.
    """

    title: str
    meaning: str
    queries: dict[str, str]
    unit: str = "short"
    red_from: float | None = None


Rows = dict[str, tuple[Panel, ...]]
"""The panels by the titles of their rows."""
