"""Reads what somebody asks of the feed: from where on, what of it, how much. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct
from multidict import MultiMapping

from consumers.feed.cursor import Cursors, ReadPlace
from consumers.feed.scope import Scope, UnusableFilter

__all__ = ["FeedRequest", "Start"]

Start = Literal["oldest", "newest"] | tuple[ReadPlace, ...]

_KNOWN: Final = ("after", "types", "portal", "limit", "wait")
_LIMIT: Final = 100
_MOST: Final = 1000
_LONGEST_WAIT_S: Final = 60.0
_LAST_EVENT_ID: Final = "Last-Event-ID"


class FeedRequest(Struct, frozen=True, kw_only=True):
    """Where to begin, which events, how many at most, and how long to wait for the first one."""

    start: Start
    scope: Scope
    limit: int = _LIMIT
    wait_s: float = 0.0

    @classmethod
    def of(
        cls,
        query: MultiMapping[str],
        headers: Mapping[str, str],
        *,
        scope: Scope,
        cursors: Cursors,
    ) -> "FeedRequest":
        """Of the parameters of a request; `Last-Event-ID`, which a client sends when it comes
        again, goes before `after`.

        Raises UnusableFilter, UnusableCursor, OutsideScope.
        """
        for name in query:
            if name not in _KNOWN:
                raise UnusableFilter(
                    f"there is no parameter {name[:50]!r}; there are {', '.join(_KNOWN)}"
                )
        after = headers.get(_LAST_EVENT_ID) or _one(query, "after") or "newest"
        ends: dict[str, Start] = {"oldest": "oldest", "newest": "newest"}
        return cls(
            start=ends[after] if after in ends else cursors.read(after),
            scope=scope.narrowed(types=_words(query, "types"), portals=_words(query, "portal")),
            limit=int(_number(query, "limit", _LIMIT, least=1, most=_MOST)),
            wait_s=_number(query, "wait", 0.0, least=0, most=_LONGEST_WAIT_S),
        )


def _one(query: MultiMapping[str], name: str) -> str:
    """A parameter that is there once at most."""
    values = query.getall(name, [])
    if len(values) > 1:
        raise UnusableFilter(f"{name} is there {len(values)} times")
    return values[0] if values else ""


def _words(query: MultiMapping[str], name: str) -> list[str]:
    """What a parameter names, once or several times, with commas or without."""
    return [
        word
        for value in query.getall(name, [])
        for one in value.split(",")
        if (word := one.strip())
    ]


def _number(
    query: MultiMapping[str], name: str, default: float, *, least: float, most: float
) -> float:
    """A whole number; above the most that there can be, that."""
    text = _one(query, name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < least:
        raise UnusableFilter(f"{name} is a whole number, at least {least}: not {text[:50]!r}")
    return min(float(text), most)
