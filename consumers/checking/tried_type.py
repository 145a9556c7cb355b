"""Describes a type of event about entities, as a consumer is tried with it."""

import re
from typing import Any, Final

from msgspec import Struct

from consumers.checking.case import made_event
from gateway.contract import ENTITY_TYPE_ID, EventType

__all__ = ["TriedType"]

_KEY: Final = re.compile(r"\[([^\[\]]*)\]")


class TriedType(Struct, frozen=True):
    """A type, the kind of its subjects, and where the form has the id of one.

    There is no such `place` for kinds whose subjects have no id.
    """

    type: str
    kind: str
    place: str = "data[FIELDS][ID]"

    @classmethod
    def of_row(cls, row: EventType, number: str) -> tuple["TriedType", ...]:
        """As events of a row usually come, and after that all other ways in which they may.

        `number` is that of the type of smart process, where there is one.
        """
        places = [(row.subject_kind, place) for place in row.id_places]
        ways = [
            cls(
                row.type.replace(ENTITY_TYPE_ID, number),
                kind.replace(ENTITY_TYPE_ID, number),
                place,
            )
            for kind, place in (*places, *row.other_subjects)
        ] or [cls(row.type, row.subject_kind, "")]
        if ENTITY_TYPE_ID in row.type:  # of which nobody has said which type of smart process it is
            ways.append(cls(_unnumbered(row.type), _unnumbered(row.subject_kind), ways[0].place))
        return tuple(ways)

    @property
    def short_name(self) -> str:
        """Without what all types begin with."""
        return self.type.removeprefix("bitrix24.")

    def event(
        self,
        subject_id: str | None = "77",
        *,
        attributes: dict[str, Any] | None = None,
        **data: Any,
    ) -> bytes:
        """An event of this type; `data` is what it has beside, or instead of, what is usual."""
        has_id = bool(self.place) and subject_id is not None
        own = {
            "user_id": 7,
            "event_handler_id": 185,
            "fields": _with_value(subject_id, self.place) if has_id else {"CODE": "x"},
            **data,
        }
        subject = f"{self.kind}/{subject_id}" if has_id else self.kind
        return made_event(self.type, subject, own, **(attributes or {}))


def _unnumbered(text: str) -> str:
    return text.replace(f".{ENTITY_TYPE_ID}", "")


def _with_value(value: Any, place: str) -> dict[str, Any]:
    """What the form says under `data` where this stands at the place; a PHP list is a list."""
    for key in reversed(_KEY.findall(place)):
        value = [value] if key == "0" else {key: value}
    return value if isinstance(value, dict) else {}  # `data` may be the value itself
