"""Reads whole numbers out of what PHP wrote: forms, in which all is text, and JSON of its arrays.

One reader for all that comes from portals, whichever way it came: an id that is the same to
Bitrix24 is the same here, and one that is none is none everywhere. Knows nothing of what is
counted. https://www.php.net/manual/en/language.types.integer.php
"""

from typing import Final

__all__ = ["MAX_INTEGER", "MIN_INTEGER", "integer_of"]

MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)
"""PHP's integers have 64 bits and a sign, and so have the columns in which ids end up."""
_MAX_DIGITS: Final = len(str(MAX_INTEGER))


def integer_of(value: object, *, least: int = 1) -> int | None:
    """The number from `least` on that PHP writes like this; None for anything else.

    A text is one if PHP would write the number so: decimal digits of ASCII, a minus before a
    negative one, nothing else. `007`, `+7`, ` 7`, `7.0` and `1e3`, which PHP reads as numbers in
    some places and not in others, are none, for two texts that differ must not name one comment.
    Of JSON, whole numbers are ones; floats, even whole ones, and true are none.
    """
    if type(value) is str:
        digits = value.removeprefix("-")
        # A bound on what is read at all, for reading digits takes time by the square of them.
        if len(digits) > _MAX_DIGITS or not (digits.isdecimal() and digits.isascii()):
            return None
        if digits[0] == "0" and value != "0":
            return None
        number = int(value)
    elif type(value) is int:
        number = value
    else:
        return None
    return number if least <= number <= MAX_INTEGER else None
