"""Shapes an event as the message of an HTTP request, in one of CloudEvents' two modes. Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

__all__ = ["CloudEventMessage", "Mode", "message_of"]

Mode = Literal["structured", "binary"]

_STRUCTURED: Final = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
_DATA: Final = "data"
_CONTENT_TYPE: Final = "datacontenttype"
_JSON: Final = "application/json"
_envelope: Final = msgspec.json.Decoder(dict[str, Raw])
# Section 3.1.3.2: a space, a double quote, a percent sign, and all that is not printable ASCII.
_ESCAPED: Final = re.compile(r"[^!#$&-~]")
_NAME: Final = re.compile(r"[a-z0-9]+")  # section 3.1 of the specification
_PRINTABLE: Final = re.compile(r"[ -~]+")


class CloudEventMessage(Struct, frozen=True):
    """What is sent of an event: a body, and the headers that say what it is."""

    headers: Mapping[str, str]
    body: bytes


def message_of(raw: bytes, mode: Mode) -> CloudEventMessage:
    """The message of an event whose JSON is `raw`, as it stands on a stream.

    Structured: the body is that JSON, byte by byte. Binary: the body is the event's `data`, and
    each of its other attributes, extensions too, is a header `ce-…`; what is null is left out, and
    so are names that CloudEvents does not allow and a content type that no header can hold: whoever
    else writes to a stream makes no headers of their own.
    Raises msgspec.DecodeError for what is no JSON object.
    """
    if mode == "structured":
        return CloudEventMessage(_STRUCTURED, raw)
    attributes = _envelope.decode(raw)
    body = bytes(attributes.pop(_DATA, Raw(b"")))
    headers = {"Content-Type": _JSON}
    for name, value in attributes.items():
        text = _text(msgspec.json.decode(value))
        if text is None:
            continue
        if name == _CONTENT_TYPE:
            if _PRINTABLE.fullmatch(text):
                headers["Content-Type"] = text
        elif _NAME.fullmatch(name):
            headers[f"ce-{name}"] = _ESCAPED.sub(_percent_encoded, text)
    return CloudEventMessage(headers, body)


def _text(value: Any) -> str | None:
    """The canonical string of an attribute's value; None for what has none.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case _:
            return None


def _percent_encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))
