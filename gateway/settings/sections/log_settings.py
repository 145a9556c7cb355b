"""Defines the section `[log]`."""

from typing import Literal

from gateway.settings.sections.kinds import Section

__all__ = ["LogSettings"]


class LogSettings(Section, frozen=True, kw_only=True):
    """[log]: how much, and in which form; `auto` is coloured on a terminal, else JSON."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged."""
    format: Literal["auto", "json", "console"] = "auto"
    """`json` lines, coloured `console` lines, or `auto`: colour on a terminal, else JSON."""
