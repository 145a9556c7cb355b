"""Reads the few fields of a delivery that the receiver needs, without decoding the rest.

Bitrix24 writes the same names in the same order every time. So an event that says nothing but an
id, of a comment or of a deal, is read by one regular expression, at a thirtieth of what decoding
costs, and any other body by its names. The expression makes bodies cheaper to read and never
changes what is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.inbound.form import DEFAULT_LIMITS, Limits
from gateway.inbound.selection import Selection

__all__ = ["FIELD_PLACES", "FormFields", "extract"]


class FormFields(Struct, frozen=True, gc=False):
    """What a delivery says, each as it was sent; None where the field is absent or an array.

    The first nine are in the order in which an event of an id has them.
    """

    event: str | None = None
    event_handler_id: str | None = None
    fields_id: str | None = None
    """`data[FIELDS][ID]`."""
    data_id: str | None = None
    """`data[ID]`, which the documentation shows for comments and nobody has seen."""
    ts: str | None = None
    domain: str | None = None
    member_id: str | None = None
    user_id: str | None = None
    application_token: str | None = None
    data_id_lowercase: str | None = None
    """`data[id]`, which the documentation of other events shows."""
    clean: str | None = None
    """`data[CLEAN]` of an uninstallation."""
    canary: str | None = None
    """`data[QUERY][canary]` of a test."""
    workflow_id: str | None = None
    """Robots and workflow activities send it, and no `event`."""
    body: bytes = b""
    """All that was sent; empty if under `data` nothing stands but the id above."""

    def __repr__(self) -> str:
        """Without the token, since traces and logs show representations."""
        return f"FormFields(event={self.event!r}, member_id={self.member_id!r}, …)"


def _pair(name: str, value: str = "[^&]*+") -> str:
    """A pattern for a pair, its name written as PHP writes it."""
    return re.escape(name.replace("[", "%5B").replace("]", "%5D")) + "=" + value


def _passed_over(*keys: str) -> str:
    """A pattern for a few of these keys of `auth`, which no field needs; in any order."""
    return "(?:&" + "|&".join(_pair(f"auth[{key}]") for key in keys) + "){0,8}"


_VALUE: Final = "([^&%+]*+)"  # nothing to decode, as in what is needed there usually is not
_NUMBER: Final = "([0-9]{1,20}+)"
# An event of an id as Bitrix24 writes it, its fields always in this order: those of applications,
# of outgoing webhooks, and that of the documentation with its data[ID].
_EVENT_OF_AN_ID: Final = re.compile(
    "".join(
        (
            _pair("event", _VALUE),
            f"(?:&{_pair('event_handler_id', _VALUE)})?",
            f"&(?:{_pair('data[FIELDS][ID]', _NUMBER)}|{_pair('data[ID]', _NUMBER)})",
            f"&{_pair('ts', _VALUE)}",
            _passed_over("access_token", "expires", "expires_in", "scope"),
            f"&{_pair('auth[domain]', _VALUE)}",
            _passed_over("client_endpoint", "server_endpoint", "status"),
            f"&{_pair('auth[member_id]', _VALUE)}",
            f"(?:&{_pair('auth[user_id]', _VALUE)})?",
            _passed_over("refresh_token"),
            f"&{_pair('auth[application_token]', _VALUE)}",
        )
    ),
    re.ASCII,
)
_PAIRS: Final = 9 + 3 * 8  # the most pairs that the pattern can match
_DEPTH: Final = 2  # of data[FIELDS][ID], as Limits counts it


FIELD_PLACES: Final[Mapping[str, str]] = {
    "event": "event",
    "event_handler_id": "event_handler_id",
    "fields_id": "data[FIELDS][ID]",
    "data_id": "data[ID]",
    "ts": "ts",
    "domain": "auth[domain]",
    "member_id": "auth[member_id]",
    "user_id": "auth[user_id]",
    "application_token": "auth[application_token]",
    "data_id_lowercase": "data[id]",
    "clean": "data[CLEAN]",
    "canary": "data[QUERY][canary]",
    "workflow_id": "workflow_id",
}
"""Where each field stands, as PHP writes it."""
_FIELDS: Final = Selection(**FIELD_PLACES)


def extract(body: bytes, limits: Limits = DEFAULT_LIMITS) -> FormFields:
    """The fields of a body, as `parse_form(body, limits)` has them, and raises as it does."""
    return _matched(body, limits) or FormFields(**_FIELDS.read(body, limits), body=body)


def _matched(body: bytes, limits: Limits) -> FormFields | None:
    """The fields of an event of an id that is within the limits; None for any other body."""
    if len(body) > limits.max_bytes or limits.max_keys < _PAIRS or limits.max_depth < _DEPTH:
        return None
    try:
        match = _EVENT_OF_AN_ID.fullmatch(body.decode("ascii"))
    except UnicodeDecodeError:
        return None
    if match is None:
        return None
    values: tuple[Any, ...] = match.groups()
    return FormFields(*values)
