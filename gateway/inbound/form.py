"""Decodes `application/x-www-form-urlencoded` with PHP's brackets, by PHP's rules, within limits.

Bitrix24 writes its bodies with PHP's `http_build_query`, and PHP reads them with what `parse_str`
does (https://www.php.net/manual/en/function.parse-str.php). `parse_form` answers as PHP 8 does, in
every oddity too: the sender, and whoever debugs a delivery with PHP, see the same fields. A body is
hostile until its token has been verified, so time and memory are linear in its size, and nothing
but `FormError` leaves this module. It knows nothing about events; `form_fields` does.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from string import hexdigits
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.php_numbers import MAX_INTEGER, MIN_INTEGER, integer_of

__all__ = [
    "DEFAULT_LIMITS",
    "FormError",
    "FormFault",
    "FormValue",
    "Limits",
    "Path",
    "decoded_value",
    "pairs_of",
    "parse_form",
]

FormValue: TypeAlias = str | dict[str, "FormValue"]
"""A value, or an array as PHP calls it; PHP's integer keys are decimal strings here."""

Path: TypeAlias = list[str | None]
"""Where a value belongs: `a[b][]` is `["a", "b", None]`, None being the next free index."""

FormFault: TypeAlias = Literal["too_long", "too_many_keys", "too_deep", "name_not_utf8"]


class FormError(GatewayError):
    """A body that the sender has to change. `reason` is fit for a metric's label."""

    def __init__(self, reason: FormFault) -> None:
        super().__init__(reason.replace("_", " "))
        self.reason = reason


class Limits(Struct, frozen=True, kw_only=True):
    """What a body may cost; a body over a limit is refused whole, never read in part.

    `max_keys` and `max_depth` count as PHP's `max_input_vars` (pairs that are not empty) and
    `max_input_nesting_level` (brackets of one name) do. Of most events, Bitrix24 sends some 20
    pairs, of depth 2; of a message to a bot, whatever is attached to it, too:
    `data[message][params][ATTACH][0][BLOCKS][0][GRID][0][NAME]`. How large a body may be is decided
    before it is read, by `[http] max_body`; `max_bytes` is the most that this can be.
    """

    max_bytes: int = 1 << 20
    max_keys: int = 1_000
    max_depth: int = 12


DEFAULT_LIMITS: Final = Limits()

# Between brackets, nothing or one of C's white-space characters: append.
_APPENDING: Final = frozenset(["", *" \t\n\v\f\r"])
_CLOSED_BRACKETS: Final = re.compile(r"(?:\[[^\]]*+\])*+")
_MAX_KNOWN_CHARS: Final = 100
# Whoever sends others keeps no more than this of each in memory.
_SEPARATOR: Final = "\u0100"  # no byte
_MARK: Final = "\x01"
_MARK_ITSELF: Final = "\u0101"  # as above
_IS_PERCENT_SIGN: Final = bytes(byte == ord("%") for byte in range(256))
_IS_HEX_DIGIT: Final = bytes(chr(byte) in hexdigits for byte in range(256))


class _Array(dict[str, FormValue]):
    """An array that knows the index `[]` appends at; None before the first integer key."""

    __slots__ = ("next_index",)

    def __init__(self) -> None:
        self.next_index: int | None = None


def parse_form(body: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, FormValue]:
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
    form = _Array()
    for path, value in pairs_of(body, limits):
        _put(form, path, decoded_value(value))
    return form


def pairs_of(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[Path, bytes]]:
    """The pairs of a body in their order, without those that PHP ignores; values not yet decoded.

    Raises FormError on the way, so nothing is to be believed before the end.
    """
    if len(body) > limits.max_bytes:
        raise FormError("too_long")
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > limits.max_keys:
        raise FormError("too_many_keys")
    if not pairs:
        return
    parts = [pair.partition(b"=") for pair in pairs]
    names = _percent_decoded([name for name, _, _ in parts])
    paths = {name: _path_of(name, limits.max_depth) for name in dict.fromkeys(names)}
    for name, (_, _, value) in zip(names, parts, strict=True):
        if (path := paths[name]) is not None:
            yield path, value


def decoded_value(encoded: bytes) -> str:
    """The text that the value of a pair stands for."""
    (decoded,) = _percent_decoded([encoded])
    return decoded.encode("latin-1").decode("utf-8", "replace")


def _percent_decoded(encoded: list[bytes]) -> list[str]:
    """The bytes that names or values stand for, each as a character of Latin-1.

    All at once, and as Python's own string escapes, which are decoded in C: anybody may send a
    thousand names and twenty thousand escapes, and a call of a function for each takes too long.
    """
    joined = b"&".join(encoded).replace(b"+", b" ")
    if b"%" not in joined:
        return joined.decode("latin-1").split("&")
    marked = _marking_lone_signs(joined)
    apart = marked.replace(b"\\", rb"\\").replace(b"&", _SEPARATOR.encode("unicode_escape"))
    escapes = apart.replace(b"%01", _MARK_ITSELF.encode("unicode_escape")).replace(b"%", rb"\x")
    decoded = escapes.decode("unicode_escape").replace(_MARK, "%").replace(_MARK_ITSELF, _MARK)
    return decoded.split(_SEPARATOR)


def _marking_lone_signs(encoded: bytes) -> bytes:
    """The same with a mark for each `%` that starts no escape, and `%01` for what is the mark.

    The text is one integer here, a byte of it for each character, and so are the notes of what is
    where; shifts bring the two digits of an escape under its sign. A regular expression takes
    three times as long for as many escapes as a body has room for.
    """
    text = encoded.replace(_MARK.encode(), b"%01")
    signs = int.from_bytes(text.translate(_IS_PERCENT_SIGN), "little")
    digits = int.from_bytes(text.translate(_IS_HEX_DIGIT), "little")
    alone = signs & ~(digits >> 8 & digits >> 16)
    marked = int.from_bytes(text, "little") - alone * (ord("%") - ord(_MARK))
    return marked.to_bytes(len(text), "little")


def _path_of(name: str, max_depth: int) -> Path | None:
    """Where a name leads to that may not be UTF-8. The names that portals send are few, and known
    already.
    """
    if len(name) > _MAX_KNOWN_CHARS:
        return _path(_utf8_name(name), max_depth)
    return _known_path(name, max_depth)


@lru_cache(maxsize=2048)
def _known_path(name: str, max_depth: int) -> Path | None:
    return _path(_utf8_name(name), max_depth)


def _utf8_name(name: str) -> str:
    """A name up to its first NUL byte, where PHP, which is written in C, sees its end."""
    if "\0" in name:
        name, _, _ = name.partition("\0")
    if name.isascii():
        return name
    try:
        return name.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise FormError("name_not_utf8") from error


def _path(name: str, max_depth: int) -> Path | None:
    """Where a name leads to; None for one that PHP ignores."""
    name = name.lstrip(" ")
    bracket = name.find("[")
    if bracket == 0 or not name:
        return None
    if bracket < 0:
        return [_mangled(name)]
    closed = _CLOSED_BRACKETS.match(name, bracket)
    end = closed.end() if closed else bracket  # it matches always, if only nothing
    keys = name[bracket + 1 : end - 1].split("][") if end > bracket else []
    # A last one that is never closed: at the top it is part of the name, further in it is ignored.
    if len(keys) + name.startswith("[", end) > max_depth:
        raise FormError("too_deep")
    if not keys:
        return [_mangled(name)]
    path: Path = [_mangled(name[:bracket]), *keys]
    if not _APPENDING.isdisjoint(keys):
        path[1:] = [None if key in _APPENDING else key for key in keys]
    return path


def _mangled(name: str) -> str:
    """A top-level name, which used to become a variable's, without what a variable cannot have."""
    if name.isidentifier():
        return name
    return name.replace(" ", "_").replace(".", "_").replace("[", "_")


def _put(form: _Array, path: Path, value: str) -> None:
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
        if index > MAX_INTEGER:
            return None
        array.next_index = index + 1
        return str(index)
    # Zend's hash tables index by PHP's integers; decimal strings beyond them are plain strings.
    number = integer_of(key, least=MIN_INTEGER)
    if number is not None and (array.next_index is None or number >= array.next_index):
        array.next_index = number + 1
    return key
