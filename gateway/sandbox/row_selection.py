"""Filters, orders and pages rows, as all list methods do; pure.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/list-methods-pecularities.html
"""

import operator
import re
from collections.abc import Callable, Container, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from gateway.sandbox.call_results import ListPage
from gateway.sandbox.parameters import listed

__all__ = ["UnknownField", "filtered", "ordered", "page_of"]

_PAGE: Final = 50
_KEY: Final = re.compile(r"(?P<test>!?=|!?@|!?%|<=|>=|<|>|!)?(?P<field>\w+)")
_ORDER_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}

T = TypeVar("T")
ValueOf = Callable[[T, str], Any]
"""The value of a row's field, which is one of those that may be asked for."""


class UnknownField(ValueError):
    """A key of a filter by which nothing can be filtered; the text is the key."""


def filtered(
    rows: list[T], asked: Mapping[str, Any], fields: Container[str], value_of: ValueOf[T]
) -> list[T]:
    """The rows that pass every key of a filter, as `>=DATE_CREATE`; raises UnknownField."""
    for key, wanted in asked.items():
        found = _KEY.fullmatch(key)
        if found is None or found["field"] not in fields:
            raise UnknownField(key)
        test, field = found["test"] or "=", found["field"]
        rows = [row for row in rows if _passes(test, value_of(row, field), wanted)]
    return rows


def ordered(
    rows: list[T], order: dict[str, Any], fields: Container[str], value_of: ValueOf[T]
) -> list[T]:
    """The rows in the order that is asked for; what is no field of theirs orders nothing."""
    for field, direction in reversed(order.items()):
        if field in fields:
            values = [_sortable(value_of(row, field)) for row in rows]
            places = sorted(
                range(len(rows)),
                key=values.__getitem__,
                reverse=str(direction).upper() == "DESC",
            )
            rows = [rows[place] for place in places]
    return rows


def page_of(rows: list[Any], start: int, *, name: str = "") -> ListPage:
    """The page that begins at `start`; under a name of its own within the result, if it has one."""
    has_more = start + _PAGE < len(rows)
    page = rows[start : start + _PAGE]
    return ListPage(page, len(rows), start + _PAGE if has_more else None, name)


def _passes(test: str, value: Any, wanted: Any) -> bool:
    if test.startswith("!"):
        return not _passes(test.removeprefix("!") or "=", value, wanted)
    text = "" if value is None else str(value)
    if test == "@":
        return text in {str(one) for one in listed(wanted)}
    if test == "%":
        return str(wanted).lower() in text.lower()
    if test == "=":
        return text == str(wanted) or (
            isinstance(wanted, list) and text in {str(one) for one in wanted}
        )
    return value is not None and _ORDER_TESTS[test](_sortable(value), _sortable(wanted))


def _sortable(value: Any) -> tuple[int, float, str]:
    """A number, or a time in whatever zone it is told, as a number; another text as it is."""
    if value is None:
        return 0, 0.0, ""
    try:
        return 1, float(value), ""
    except (TypeError, ValueError):
        pass
    try:
        return 1, datetime.fromisoformat(str(value)).timestamp(), ""
    except ValueError:
        return 2, 0.0, str(value)
