"""Reads what Bitrix24 says under `data` of an event that is about neither a comment nor the
application: which entity it is about, and what may be stored of the rest. Pure.

It says the same in a form, when it delivers an event, and in a row of its queue of offline events.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct

from gateway.contract import ENTITY_TYPE_ID, EventSubject, EventType
from gateway.inbound.form import DEFAULT_LIMITS, parse_form
from gateway.inbound.form_fields import FormFields
from gateway.inbound.storable_fields import (
    ChosenFields,
    Keys,
    StorableFields,
    id_of,
    keys_of,
    secrets_in,
)
from gateway.php_numbers import integer_of

__all__ = ["EntityReader", "ReadEntity"]


class ReadEntity(Struct, frozen=True, gc=False):
    """What an event says: its type, its subject, and `data.fields`.

    `lacks_id`: nothing usable says which one of its kind the subject is. `left_out` counts the
    values that could be keys, or were too much.
    """

    type: str
    subject: EventSubject
    fields: dict[str, Any]
    lacks_id: bool = False
    left_out: int = 0


class EntityReader:
    """Reads the data of events of one row of the table of event types."""

    def __init__(self, row: EventType) -> None:
        self._type = row.type
        self._kind = row.subject_kind
        self._id_paths = tuple(map(keys_of, row.id_places))
        self._entity_type_paths = tuple(map(keys_of, row.entity_type_places))
        self._other_subjects = [(kind, keys_of(place)) for kind, place in row.other_subjects]
        self._storable = StorableFields(self._id_paths)
        self.is_numbered = ENTITY_TYPE_ID in row.type

    def read_form(self, fields: FormFields, number: int | None = None) -> ReadEntity:
        """What a form says that a portal has sent: of anybody else's, nothing is to be parsed.

        `number` is that of the type of smart process, where the event's name has it.
        """
        if fields.body:
            form = parse_form(fields.body)
            data, secrets = form.get("data"), secrets_in(form.get("auth"))
            return self._read(data, self._storable.of(data, secrets), number, secrets)
        alone: dict[str, Any] = {}  # as nearly always
        if fields.fields_id is not None:
            alone = {"FIELDS": {"ID": fields.fields_id}}
        elif fields.data_id is not None:
            alone = {"ID": fields.data_id}
        return self._read(alone, ChosenFields(alone), number)

    def read_row(self, event_data: Any) -> ReadEntity:
        """What a row of a portal's queue says: the same tree, that came as JSON."""
        data = _with_keys(event_data)
        return self._read(data, self._storable.of(_as_sent(data)), None)

    def _read(
        self, data: Any, chosen: ChosenFields, number: int | None, secrets: Collection[str] = ()
    ) -> ReadEntity:
        """What a tree says of which the values are text."""
        kind, event_type = self._kind, self._type
        if self.is_numbered:
            number = _first(data, self._entity_type_paths, integer_of) or number
            # A type of which nobody says which one it is: the word stands for all of them.
            name = "" if number is None else f".{number}"
            kind = kind.replace(f".{ENTITY_TYPE_ID}", name)
            event_type = event_type.replace(f".{ENTITY_TYPE_ID}", name)

        def read_id(value: Any) -> int | str | None:
            return id_of(value, secrets)

        subject_id = _first(data, self._id_paths, read_id)
        if subject_id is None:
            for other_kind, keys in self._other_subjects:
                if (subject_id := _first(data, [keys], read_id)) is not None:
                    kind = other_kind
                    break
        return ReadEntity(
            event_type,
            EventSubject(kind, subject_id),
            chosen.fields,
            lacks_id=subject_id is None and bool(self._id_paths),
            left_out=chosen.left_out,
        )


def _with_keys(value: Any, room: int = DEFAULT_LIMITS.max_depth) -> Any:
    """A tree of JSON with PHP's arrays for its lists, and nothing that is deeper than in a form."""
    if isinstance(value, dict | list):
        if not room:
            return None
        members = value.items() if isinstance(value, dict) else enumerate(value)
        return {str(key): _with_keys(one, room - 1) for key, one in members}
    return value


def _as_sent(value: Any) -> Any:
    """The same as http_build_query would send it: text at its leaves, and nothing for null."""
    if isinstance(value, dict):
        return {key: _as_sent(one) for key, one in value.items() if one is not None}
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _first(data: Any, paths: Sequence[Keys], read: Callable[[Any], Any]) -> Any:
    """The first that is usable of what stands at these places."""
    for path in paths:
        value = data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if (found := read(value)) is not None:
            return found
    return None
