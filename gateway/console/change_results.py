"""Keeps what changes have answered, so that each has a page that may be loaded again."""

from collections import OrderedDict
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Final

from msgspec import Struct

from gateway.console.action_answer import ActionAnswer

__all__ = ["ChangeResult", "ChangeResults"]

_MOST: Final = 200
_KEPT_S: Final = 3600.0


class ChangeResult(Struct, frozen=True, kw_only=True):
    """What was wished, by the name of the action and its fields, and what became of it."""

    action: str
    fields: Mapping[str, str]
    answer: ActionAnswer


class ChangeResults:
    """The last two hundred, each for an hour, in this process alone. Times are Unix times."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, ChangeResult]] = OrderedDict()

    def keep(self, result: ChangeResult, *, now: float) -> str:
        """Keep a result; the name by which it is found, which nobody can guess."""
        name = token_urlsafe(16)
        self._kept[name] = now, result
        while len(self._kept) > _MOST or now - next(iter(self._kept.values()))[0] > _KEPT_S:
            self._kept.popitem(last=False)
        return name

    def find(self, name: str, *, now: float) -> ChangeResult | None:
        """The result of this name; None if it is not here, or not any more."""
        at, result = self._kept.get(name, (0.0, None))
        return None if now - at > _KEPT_S else result
