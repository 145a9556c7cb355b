"""Tells of a trouble once, for as long as it lasts. Pure."""

from collections.abc import Iterable

__all__ = ["Episodes"]


class Episodes:
    """Keeps the troubles that last; each is told when it begins, and again only after an end."""

    def __init__(self) -> None:
        self._lasting: dict[str, frozenset[str]] = {}

    def begun(self, subject: str, troubles: Iterable[str]) -> frozenset[str]:
        """Those that were not there the last time, given all that `subject` has now."""
        now = frozenset(troubles)
        begun = now - self._lasting.get(subject, frozenset())
        self._lasting[subject] = now
        return begun
