"""Says what comes of a call of a REST method: a list, a refusal, and what the record says of it."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

__all__ = ["ListPage", "RestError", "SeenCall"]


class RestError(Exception):
    """A call that is refused; `code` may be the empty string. `more` are keys of the answer."""

    def __init__(self, status: int, code: str, description: str, **more: Any) -> None:
        super().__init__(f"{code}: {description}")
        self.status = status
        self.code = code
        self.description = description
        self.more = more


class ListPage(Struct, frozen=True):
    """A list, or a part of one: how many there are in all, and where the next part begins.

    `name` is under which it stands in the result, where that is a map.
    """

    rows: list[Any]
    total: int | None = None
    next_start: int | None = None
    name: str = ""


class SeenCall(Struct, kw_only=True):
    """A call for the record; `error` is None if it succeeded. Parameters are without tokens."""

    method: str
    parameters: Mapping[str, Any]
    status: int = 200
    error: str | None = None
    commands: "list[SeenCall]" = []
