"""Reads what Bitrix24 says under `data` of an event that is about neither a comment nor the
application: which entity it is about, and what may be stored of the rest. Pure.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from gateway.contract import ENTITY_TYPE_ID, EventSubject, EventType
from gateway.inbound.form import parse_form
from gateway.inbound.form_fields import FormFields
from gateway.php_numbers import integer_of

__all__ = ["EntityReader", "ReadEntity"]

_TEXT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_Keys: TypeAlias = tuple[str, ...]


class ReadEntity(Struct, frozen=True, gc=False):
    """What an event says: its type, its subject, and `data.fields`.

    `lacks_id`: nothing usable says which one of its kind the subject is.
    """

    type: str
    subject: EventSubject
    fields: dict[str, Any]
    lacks_id: bool = False


class EntityReader:
    """Reads the data of events of one row of the table of event types."""

    def __init__(self, row: EventType) -> None:
        self._type = row.type
        self._kind = row.subject_kind
        self._id_paths = tuple(map(_keys, row.id_places))
        self._entity_type_paths = tuple(map(_keys, row.entity_type_places))
        self._other_subjects = [(kind, _keys(place)) for kind, place in row.other_subjects]
        self.is_numbered = ENTITY_TYPE_ID in row.type

    def read_form(self, fields: FormFields, number: int | None = None) -> ReadEntity:
        """What a form says that a portal has sent: of anybody else's, nothing is to be parsed.

        `number` is that of the type of smart process, where the event's name has it.
        """
        if fields.body:
            return self._read(parse_form(fields.body).get("data"), {}, number)
        data: dict[str, Any] = {}
        if fields.fields_id is not None:
            data = {"FIELDS": {"ID": fields.fields_id}}
        elif fields.data_id is not None:
            data = {"ID": fields.data_id}
        return self._read(data, data, number)

    def _read(self, data: Any, kept: dict[str, Any], number: int | None) -> ReadEntity:
        """What a tree says of which the values are text."""
        kind, event_type = self._kind, self._type
        if self.is_numbered:
            number = _first(data, self._entity_type_paths, integer_of) or number
            # A type of which nobody says which one it is: the word stands for all of them.
            name = "" if number is None else f".{number}"
            kind = kind.replace(f".{ENTITY_TYPE_ID}", name)
            event_type = event_type.replace(f".{ENTITY_TYPE_ID}", name)
        subject_id = _first(data, self._id_paths, _id_of)
        if subject_id is None:
            for other_kind, keys in self._other_subjects:
                if (subject_id := _first(data, [keys], _id_of)) is not None:
                    kind = other_kind
                    break
        return ReadEntity(
            event_type,
            EventSubject(kind, subject_id),
            kept,
            lacks_id=subject_id is None and bool(self._id_paths),
        )


def _keys(place: str) -> _Keys:
    """The keys below `data`."""
    return tuple(place.replace("]", "").split("[")[1:])


def _first(data: Any, paths: Sequence[_Keys], read: Any) -> Any:
    """The first that is usable of what stands at these places."""
    for path in paths:
        value = data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if (found := read(value)) is not None:
            return found
    return None


def _id_of(value: Any) -> int | str | None:
    """A number above 0, or a text of plain characters; None for anything else."""
    number = integer_of(value)
    if number is not None:
        return number
    if not isinstance(value, str) or value == "0":
        return None
    return value if _TEXT_ID.fullmatch(value) else None
