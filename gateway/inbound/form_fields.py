"""The few fields of a delivery that the receiver needs, read without decoding the rest.

Bitrix24 writes the same names in the same way every time. So a body whose names are all known is
read by looking its raw names up, at a tenth of what decoding costs; any other body is read by
`parse_form`. The table of names makes bodies cheaper to read and never changes what is read.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from msgspec import Struct

from gateway.inbound.form import DEFAULT_LIMITS, Limits, Node, parse_form, percent_decode

__all__ = ["FormFields", "extract", "fields_of"]


class FormFields(Struct, frozen=True, gc=False):
    """What a delivery says, each as it was sent; None where the field is absent or an array.

    The order is that of `_NEEDED`.
    """

    event: str | None = None
    event_handler_id: str | None = None
    ts: str | None = None
    fields_id: str | None = None
    """`data[FIELDS][ID]`."""
    data_id: str | None = None
    """`data[ID]`, which the documentation shows for comments and nobody has seen."""
    data_id_lowercase: str | None = None
    """`data[id]`, which the documentation of other events shows."""
    clean: str | None = None
    """`data[CLEAN]` of an uninstallation."""
    member_id: str | None = None
    domain: str | None = None
    application_token: str | None = None
    user_id: str | None = None
    workflow_id: str | None = None
    """Robots and workflow activities send it, and no `event`."""

    def __repr__(self) -> str:
        """Without the token, since traces and logs show representations."""
        return f"FormFields(event={self.event!r}, member_id={self.member_id!r}, …)"


_NEEDED: Final = (
    "event",
    "event_handler_id",
    "ts",
    "data[FIELDS][ID]",
    "data[ID]",
    "data[id]",
    "data[CLEAN]",
    "auth[member_id]",
    "auth[domain]",
    "auth[application_token]",
    "auth[user_id]",
    "workflow_id",
)

# Names that events (https://apidocs.bitrix24.com/api-reference/events/) and robots
# (https://apidocs.bitrix24.com/api-reference/bizproc/) send and no field needs. Of all names none
# may lead to another (`data`, `data[ID]`), or it would matter which comes last in a body.
_PASSED_OVER: Final = (
    "data[FIELDS][ENTITY_TYPE_ID]",
    "data[FIELDS_BEFORE][ID]",
    "data[FIELDS_AFTER][ID]",
    *(f"data[{key}]" for key in ("VERSION", "ACTIVE", "INSTALLED", "LANGUAGE_ID")),
    *(f"auth[{key}]" for key in ("access_token", "refresh_token", "expires", "expires_in")),
    *(f"auth[{key}]" for key in ("scope", "status", "client_endpoint", "server_endpoint")),
    *("code", "event_token", "use_subscription", "timeout_duration"),
    *(f"document_{part}[{index}]" for part in ("id", "type") for index in range(3)),
)

_DEPTH: Final = max(name.count("[") for name in _NEEDED + _PASSED_OVER)


def _spellings(name: str) -> Iterator[str]:
    """The ways to write a name's brackets; PHP writes the first."""
    for opening, closing in (("%5B", "%5D"), ("%5b", "%5d"), ("[", "]")):
        yield name.replace("[", opening).replace("]", closing)


# Where each spelling's value goes: to the field's place, or to one last place that nobody reads.
_PLACES: Final = {
    spelling: min(place, len(_NEEDED))
    for place, name in enumerate(chain(_NEEDED, _PASSED_OVER))
    for spelling in _spellings(name)
}


def extract(body: bytes, limits: Limits = DEFAULT_LIMITS) -> FormFields:
    """Equal to `fields_of(parse_form(body, limits))` for every body, and raises as it does."""
    return _looked_up(body, limits) or fields_of(parse_form(body, limits))


def _looked_up(body: bytes, limits: Limits) -> FormFields | None:
    """The fields of a body within the limits whose names are all known; None for any other."""
    if len(body) > limits.max_bytes or limits.max_depth < _DEPTH:
        return None
    values: list[str | None] = [None] * (len(_NEEDED) + 1)
    try:
        pairs = body.decode("ascii").split("&")
        if len(pairs) > limits.max_keys:
            return None
        for pair in pairs:
            name, _, value = pair.partition("=")
            values[_PLACES[name]] = value
    except (KeyError, UnicodeDecodeError):
        return None
    values.pop()
    return FormFields(
        *[
            _decoded(value) if value is not None and ("%" in value or "+" in value) else value
            for value in values
        ]
    )


def fields_of(form: dict[str, Node]) -> FormFields:
    """The fields of a form that has been parsed."""
    data = form.get("data")
    fields = data.get("FIELDS") if isinstance(data, dict) else None
    auth = form.get("auth")
    return FormFields(
        event=_text(form, "event"),
        event_handler_id=_text(form, "event_handler_id"),
        ts=_text(form, "ts"),
        fields_id=_text(fields, "ID"),
        data_id=_text(data, "ID"),
        data_id_lowercase=_text(data, "id"),
        clean=_text(data, "CLEAN"),
        member_id=_text(auth, "member_id"),
        domain=_text(auth, "domain"),
        application_token=_text(auth, "application_token"),
        user_id=_text(auth, "user_id"),
        workflow_id=_text(form, "workflow_id"),
    )


def _text(node: Node | None, key: str) -> str | None:
    value = node.get(key) if isinstance(node, dict) else None
    return value if isinstance(value, str) else None


def _decoded(value: str) -> str:
    return percent_decode(value.encode("ascii")).decode("utf-8", "replace")
