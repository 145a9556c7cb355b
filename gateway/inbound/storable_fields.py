"""Chooses what is stored of the tree that a portal sends under `data`: nothing that can be a key.

By the name of a field, the place that it stands at, and the shape of its text; and within a bound.
Pure.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.contract import EVENT_TYPES
from gateway.inbound.form import DEFAULT_LIMITS
from gateway.inbound.key_shapes import without_keys
from gateway.php_numbers import integer_of
from gateway.secrets_in_data import MASK, names_a_secret

__all__ = [
    "MAX_FIELDS_BYTES",
    "ChosenFields",
    "Keys",
    "StorableFields",
    "id_of",
    "keys_of",
    "secrets_in",
]

Keys: TypeAlias = tuple[str, ...]
"""Where a value stands below `data`, from the outside in."""

MAX_FIELDS_BYTES: Final = 65_536
"""Of the JSON that `data.fields` may become: as much as a body has where `[http] max_body` is left
as it is."""
_MAX_DEPTH: Final = DEFAULT_LIMITS.max_depth
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_LEAST_SECRET_CHARS: Final = 8
_TEXT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TOKENS: Final = frozenset({"access_token", "application_token", "refresh_token"})
_AUTH_BLOCK: Final = frozenset(
    {
        "client_endpoint",
        "client_id",
        "domain",
        "expires",
        "expires_in",
        "member_id",
        "scope",
        "server_endpoint",
        "status",
        "user_id",
    }
)
# What stands beside tokens, as in https://apidocs.bitrix24.com/api-reference/events/index.html.


def keys_of(place: str) -> Keys:
    """The keys of a place as PHP writes it: `data[FIELDS][ID]`."""
    return tuple(place.replace("]", "").split("[")[1:])


_ID_PLACES: Final = frozenset(keys_of(place) for row in EVENT_TYPES for place in row.id_places)
# Of all events, since one about a part names the whole by the place that the whole has its id at.


def id_of(value: Any, secrets: Collection[str] = ()) -> int | str | None:
    """A number above 0, or a text of plain characters; None for anything else, and for a secret."""
    number = integer_of(value)
    if number is not None:
        return number
    if not isinstance(value, str) or value == "0" or not _TEXT_ID.fullmatch(value):
        return None
    return None if _has_any(value, secrets) else value


def secrets_in(auth: Any) -> frozenset[str]:
    """The tokens that a delivery itself came with, which `data` may repeat anywhere."""
    if not isinstance(auth, dict):
        return frozenset()
    named = (value for name, value in auth.items() if _is_secret_name(name))
    return frozenset(
        value for value in named if isinstance(value, str) and len(value) >= _LEAST_SECRET_CHARS
    )


class ChosenFields(Struct, frozen=True, gc=False):
    """`data.fields`; and how many values are not whole in it, or not there, though nothing but
    their shape or size is against them.
    """

    fields: dict[str, Any]
    left_out: int = 0


class StorableFields:
    """Knows where ids stand, which are kept whatever they look like; `places` are more of them."""

    def __init__(self, places: Iterable[Keys] = ()) -> None:
        self._id_places = _ID_PLACES | set(places)

    def of(self, data: Any, secrets: Collection[str] = ()) -> ChosenFields:
        """What is stored of a tree of dicts whose leaves are text; `secrets` are never.

        A field goes if its name is a secret's, or if it stands beside a token and belongs to it.
        In a text, what could be a key is masked; a text that is nothing else goes. So does what is
        behind the bound, or too deep. What is left is as PHP's json_encode writes it: an array is
        a list if its keys are 0, 1, 2 and so on.
        """
        if not isinstance(data, dict):
            return ChosenFields({})
        choice = _Choice(self._id_places, secrets)
        return ChosenFields(choice.of_array(data, ()), choice.left_out)


class _Choice:
    def __init__(self, id_places: Collection[Keys], secrets: Collection[str]) -> None:
        self._id_places = id_places
        self._secrets = secrets
        self._left_bytes = MAX_FIELDS_BYTES
        self.left_out = 0

    def of_array(self, array: Mapping[str, Any], path: Keys) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in _open(array):
            if not self._may_be_named(name) or len(path) == _MAX_DEPTH:
                self.left_out += 1
                continue
            if isinstance(value, dict):
                if self._fits(name) and (members := self.of_array(value, (*path, name))):
                    kept[name] = _as_json_has(members)
            elif (text := self._of_text(name, value, (*path, name))) is not None:
                kept[name] = text
        return kept

    def _of_text(self, name: str, value: str, path: Keys) -> str | None:
        text = value
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        if not self._is_an_id(name, text, path):
            text = without_keys(text)
        if text != value:
            self.left_out += 1
            if not text.strip("* \t\r\n"):
                return None
        return text if self._fits(name, text) else None

    def _fits(self, name: str, text: str = "") -> bool:
        size = len(msgspec.json.encode(name)) + len(msgspec.json.encode(text)) + 2
        if size > self._left_bytes:
            self.left_out += 1
            return False
        self._left_bytes -= size
        return True

    def _is_an_id(self, name: str, value: str, path: Keys) -> bool:
        if path in self._id_places:
            return id_of(value) is not None
        # Bitrix24 makes no key that looks like a UUID.
        return name.lower().endswith("id") and _UUID.fullmatch(value) is not None

    def _may_be_named(self, name: str) -> bool:
        return _is_open_name(name) and not _has_any(name, self._secrets)


@lru_cache(maxsize=4096)  # the same few again and again
def _is_open_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and without_keys(name) == name


_is_secret_name: Final = lru_cache(maxsize=4096)(names_a_secret)


def _open(array: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is named like no secret, and is no part of a block with tokens."""
    is_auth_block = not _TOKENS.isdisjoint(array)
    for name, value in array.items():
        if not (_is_secret_name(name) or (is_auth_block and name in _AUTH_BLOCK)):
            yield name, value


def _as_json_has(array: dict[str, Any]) -> dict[str, Any] | list[Any]:
    is_list = all(name == str(index) for index, name in enumerate(array))
    return list(array.values()) if is_list else array


def _has_any(text: str, secrets: Collection[str]) -> bool:
    return any(secret in text for secret in secrets)
