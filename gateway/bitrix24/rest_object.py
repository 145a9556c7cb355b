"""Makes the contract's `FetchedObject` of an object as a portal's methods return it; no I/O.

Names and values are the method's. What is too much, or can hold a key, is left out.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from gateway.contract import FetchedObject, timestamps
from gateway.php_numbers import MAX_INTEGER, MIN_INTEGER
from gateway.secrets_in_data import names_a_secret, without_secrets

__all__ = ["MAX_OBJECT_BYTES", "NotAnObject", "object_of"]

MAX_OBJECT_BYTES: Final = 262_144
"""Of JSON. Most deals with all their custom fields have some ten thousand."""
MAX_TEXT_CHARS: Final = 20_000
MAX_MEMBERS: Final = 500
"""Of an object and of each list and map in it."""
MAX_DEPTH: Final = 8
_MAX_NAME_CHARS: Final = 255
_encoder = msgspec.json.Encoder(order="deterministic")


class NotAnObject(ValueError):
    """What came is no object with fields, whatever it is."""


def object_of(tree: Any, *, fetched_at: datetime) -> FetchedObject:
    """The object, with its fields in the portal's order and as much of each as is kept.

    `cut` names the fields that are not whole, of which some may not be there at all. The hash is
    over all that is no key, whatever order it comes in. Raises NotAnObject.
    """
    if not isinstance(tree, dict) or not tree:
        raise NotAnObject("the portal's answer is no object")
    whole = {
        str(name): _open(value) for name, value in tree.items() if not names_a_secret(str(name))
    }
    fields: dict[str, Any] = {}
    cut: list[str] = []
    left_bytes = MAX_OBJECT_BYTES
    for name, value in whole.items():
        if len(name) > _MAX_NAME_CHARS or len(fields) + len(cut) >= 2 * MAX_MEMBERS:
            continue
        kept, is_whole = _bounded(value, depth=1)
        size = len(name) + len(msgspec.json.encode(kept)) + 4
        if size > left_bytes:
            cut.append(name)
            continue
        left_bytes -= size
        fields[name] = kept
        if not is_whole:
            cut.append(name)
    return FetchedObject(
        state="present",
        fields=fields,
        fetched_at=timestamps.milliseconds_of(fetched_at),
        content_hash=sha256(_encoder.encode(whole)).hexdigest(),
        cut=tuple(cut),
    )


def _open(value: Any) -> Any:
    """The same without what can hold a key, and with nothing that JSON of 64 bits cannot hold."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {
            str(name): _open(member)
            for name, member in value.items()
            if not names_a_secret(str(name))
        }
    if isinstance(value, list):
        return [_open(member) for member in value]
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        return str(value)
    return value


def _bounded(value: Any, *, depth: int) -> tuple[Any, bool]:
    """As much of a value as is kept, and whether that is all of it."""
    if isinstance(value, str):
        return value[:MAX_TEXT_CHARS], len(value) <= MAX_TEXT_CHARS
    if not isinstance(value, dict | list):
        return value, True
    if depth >= MAX_DEPTH:
        return None, False
    members = list(value.items() if isinstance(value, dict) else enumerate(value))
    is_whole = len(members) <= MAX_MEMBERS
    kept = []
    for name, member in members[:MAX_MEMBERS]:
        part, part_is_whole = _bounded(member, depth=depth + 1)
        is_whole = is_whole and part_is_whole
        kept.append((name, part))
    return dict(kept) if isinstance(value, dict) else [part for _, part in kept], is_whole
