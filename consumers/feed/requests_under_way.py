"""Bounds how many requests of a token are under way at a time, so that one reader leaves room."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["RequestsUnderWay", "TooManyUnderWay"]


class TooManyUnderWay(Exception):
    """A token has as many requests under way as it may; in a sentence for whoever has it."""


class RequestsUnderWay:
    """Counts requests by the name of their token."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_name: Counter[str] = Counter()

    @contextmanager
    def one_of(self, name: str) -> Iterator[None]:
        """Count a request for as long as it lasts; raises TooManyUnderWay."""
        if self._by_name[name] >= self._most:
            raise TooManyUnderWay(f"{self._most} requests of this token are under way")
        self._by_name[name] += 1
        try:
            yield
        finally:
            self._by_name[name] -= 1
