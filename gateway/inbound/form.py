"""Decoding `application/x-www-form-urlencoded` with PHP's brackets, by PHP's rules, within limits.

Bitrix24 writes its bodies with PHP's `http_build_query`, and PHP reads them with what `parse_str`
does (https://www.php.net/manual/en/function.parse-str.php). `parse_form` answers as PHP 8 does, in
every oddity too: the sender, and whoever debugs a delivery with PHP, see the same fields. A body is
hostile until its token has been verified, so time and memory are linear in its size, and nothing
but `FormError` leaves this module. It knows nothing about events; `form_fields` does.
"""

from itertools import pairwise
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from gateway.errors import GatewayError

__all__ = [
    "DEFAULT_LIMITS",
    "FormError",
    "FormFault",
    "Limits",
    "Node",
    "parse_form",
    "percent_decode",
]

Node: TypeAlias = str | dict[str, "Node"]
"""A value, or an array as PHP calls it; PHP's integer keys are decimal strings here."""

FormFault: TypeAlias = Literal["too_long", "too_many_keys", "too_deep", "name_not_utf8"]


class FormError(GatewayError):
    """A body that the sender has to change. `reason` is fit for a metric's label."""

    def __init__(self, reason: FormFault) -> None:
        super().__init__(reason.replace("_", " "))
        self.reason = reason


class Limits(Struct, frozen=True, kw_only=True):
    """What a body may cost; a body over a limit is refused whole, never read in part.

    `max_keys` and `max_depth` count as PHP's `max_input_vars` (pairs that are not empty) and
    `max_input_nesting_level` (brackets of one name) do. Bitrix24 sends some 20 pairs, of depth 2.
    """

    max_bytes: int = 65_536
    max_keys: int = 1_000
    max_depth: int = 5


DEFAULT_LIMITS: Final = Limits()

# Zend's hash tables index by signed 64-bit integers; decimal strings beyond them are plain strings.
_MIN_INDEX: Final = -(2**63)
_MAX_INDEX: Final = 2**63 - 1
_MAX_INDEX_DIGITS: Final = len(str(_MIN_INDEX))

# Between brackets, nothing or one of C's white-space characters: append.
_APPENDING: Final = frozenset(["", *" \t\n\v\f\r"])


class _Array(dict[str, Node]):
    """An array that knows the index `[]` appends at; None before the first integer key."""

    __slots__ = ("next_index",)

    def __init__(self) -> None:
        self.next_index: int | None = None


def parse_form(body: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, Node]:
    """The fields of a body, as PHP's `parse_str` gives them; raises only `FormError`.

    Pairs are separated by `&` alone; `+` is a space, and a `%` that starts no escape is itself. Of
    a name that comes twice the last value stays, be it a string or an array.

    The differences from PHP are deliberate:

    * Over a limit, PHP warns and goes on without what is too deep or too many. Here the body is
      refused, for a part of a body may mean something else than the whole.
    * PHP's strings are bytes. Here a value is UTF-8 with U+FFFD for what is not, as in the URL
      standard (https://url.spec.whatwg.org/#concept-urlencoded-parser), but a name that is not
      UTF-8 is refused, for two such names could become one.
    * A NUL byte is read like `%00`, as PHP does in requests; `parse_str` itself stops at it.
    * For the sake of cookies, PHP drops `..Host-x`, which becomes `__Host-x`, and `a[__Host-x]`,
      and the same with `__Secure-`. Here they are names like others.
    """
    if len(body) > limits.max_bytes:
        raise FormError("too_long")
    form = _Array()
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > limits.max_keys:
        raise FormError("too_many_keys")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        path = _path(_decoded_name(name), limits.max_depth)
        if path is not None:
            _put(form, path, percent_decode(value).decode("utf-8", "replace"))
    return form


def percent_decode(encoded: bytes) -> bytes:
    """The bytes that a name or a value stands for."""
    return unquote_to_bytes(encoded.replace(b"+", b" "))


def _decoded_name(encoded: bytes) -> str:
    """A name up to its first NUL byte, where PHP, which is written in C, sees its end."""
    # Brackets first: they make no new escapes, and mostly leave none for a loop in Python.
    brackets_decoded = encoded.replace(b"%5B", b"[").replace(b"%5D", b"]")
    name, _, _ = percent_decode(brackets_decoded).partition(b"\0")
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise FormError("name_not_utf8") from error


def _path(name: str, max_depth: int) -> list[str | None] | None:
    """`a[b][]` as `["a", "b", None]`; None for a name that PHP ignores."""
    name = name.lstrip(" ")
    bracket = name.find("[")
    if bracket == 0 or not name:
        return None
    if bracket < 0:
        return [_mangled(name)]
    path: list[str | None] = [_mangled(name[:bracket])]
    while name.startswith("[", bracket):
        if len(path) > max_depth:
            raise FormError("too_deep")
        close = name.find("]", bracket)
        if close < 0:
            # Never closed: at the top it is part of the name, further in it is ignored.
            return path if len(path) > 1 else [_mangled(name)]
        key = name[bracket + 1 : close]
        path.append(None if key in _APPENDING else key)
        bracket = close + 1
    return path


def _mangled(name: str) -> str:
    """A top-level name, which used to become a variable's, without what a variable cannot have."""
    return name.replace(" ", "_").replace(".", "_").replace("[", "_")


def _put(form: _Array, path: list[str | None], value: str) -> None:
    """Set the value at a path, replacing strings on the way by arrays."""
    array = form
    for key, _ in pairwise(path):
        slot = _claim(array, key)
        if slot is None:
            return
        child = array.get(slot)
        if not isinstance(child, _Array):
            child = array[slot] = _Array()
        array = child
    slot = _claim(array, path[-1])
    if slot is not None:
        array[slot] = value


def _claim(array: _Array, key: str | None) -> str | None:
    """The key to write at, for None the next free index; None when no index is left.

    Appending goes on from the greatest key that PHP takes for an integer (`7` and `-7`, but not
    `07`, `+7` or `-0`), else from 0: https://www.php.net/manual/en/language.types.array.php
    """
    if key is None:
        index = array.next_index or 0
        if index > _MAX_INDEX:
            return None
        array.next_index = index + 1
        return str(index)
    number = _integer(key)
    if number is not None and (array.next_index is None or number >= array.next_index):
        array.next_index = number + 1
    return key


def _integer(key: str) -> int | None:
    """The integer a key is in PHP's eyes, if it is one."""
    if len(key) > _MAX_INDEX_DIGITS or not key.isascii() or not key.removeprefix("-").isdigit():
        return None
    number = int(key)
    return number if str(number) == key and _MIN_INDEX <= number <= _MAX_INDEX else None
