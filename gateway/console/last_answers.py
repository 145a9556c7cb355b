"""Remembers what pages have answered last: it is shown, with its time, while Redis is away."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.contract import timestamps

__all__ = ["LastAnswers", "StaleAnswer"]

_MOST: Final = 100

_Key = tuple[str, tuple[tuple[str, str], ...]]


class StaleAnswer(Struct, frozen=True, kw_only=True):
    """Why there is no answer, and the last one there was to the same question, given `at`.

    `answer` and `at` are None if nobody has asked this before.
    """

    why_not: str
    at: str | None
    answer: Any


class LastAnswers:
    """The last hundred questions, each with its last answer."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, tuple[str, Any]] = OrderedDict()

    def keep(self, name: str, fields: Mapping[str, str], answer: Any) -> None:
        """Remember an answer that has just been given."""
        key = _key(name, fields)
        self._known[key] = timestamps.seconds(time.time()), answer
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def instead(self, name: str, fields: Mapping[str, str], why_not: str) -> StaleAnswer:
        """What is left to show."""
        at, answer = self._known.get(_key(name, fields), (None, None))
        return StaleAnswer(why_not=why_not, at=at, answer=answer)


def _key(name: str, fields: Mapping[str, str]) -> _Key:
    return name, tuple(sorted(fields.items()))
