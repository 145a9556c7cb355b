"""Remembers what pages have answered last: it is shown, with its time, while Redis is away.

Not for long, and not much: answers hold what a page shows, and so what somebody may have erased.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.contract import timestamps

__all__ = ["LastAnswers", "StaleAnswer"]

_MOST: Final = 20
_KEPT_S: Final = 3600.0

_Key = tuple[str, tuple[tuple[str, str], ...]]


class StaleAnswer(Struct, frozen=True, kw_only=True):
    """Why there is no answer, and the last one there was to the same question, given `at`.

    `answer` and `at` are None if nobody has asked this within an hour.
    """

    why_not: str
    at: str | None
    answer: Any


class LastAnswers:
    """The last twenty questions, each with its last answer, for an hour. Times are Unix times."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, tuple[float, Any]] = OrderedDict()

    def keep(self, name: str, fields: Mapping[str, str], answer: Any, *, now: float) -> None:
        """Remember an answer that has just been given."""
        key = _key(name, fields)
        self._known[key] = now, answer
        self._known.move_to_end(key)
        oldest, _ = next(iter(self._known.values()))
        while len(self._known) > _MOST or now - oldest > _KEPT_S:
            self._known.popitem(last=False)
            oldest, _ = next(iter(self._known.values()))

    def instead(
        self, name: str, fields: Mapping[str, str], why_not: str, *, now: float
    ) -> StaleAnswer:
        """What is left to show."""
        at, answer = self._known.get(_key(name, fields), (0.0, None))
        if answer is None or now - at > _KEPT_S:
            return StaleAnswer(why_not=why_not, at=None, answer=None)
        return StaleAnswer(why_not=why_not, at=timestamps.seconds(at), answer=answer)


def _key(name: str, fields: Mapping[str, str]) -> _Key:
    return name, tuple(sorted(fields.items()))
