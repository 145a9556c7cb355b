"""Reads and writes the id of a stream entry, as a value that compares as the server does.

https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
"""

from typing import Final, NamedTuple

__all__ = ["EntryId"]

_MAX: Final = (1 << 64) - 1
_LONGEST: Final = 20 + 1 + 20


class EntryId(NamedTuple):
    """Where an entry stands on its stream: milliseconds of the server's clock, then a number.

    Compares as the two numbers, in the order of the stream, which is not that of the text. `str()`
    gives `<milliseconds>-<number>`. Both numbers have 64 bits; `0-0` is the id of no entry.
    """

    ms: int
    number: int = 0

    @classmethod
    def of(cls, text: str | bytes) -> "EntryId":
        """Read `<milliseconds>-<number>`, or `<milliseconds>` for its number 0.

        Raises ValueError for everything else, such as the `(` of a range or `*`.
        """
        plain = text if isinstance(text, str) else text.decode("ascii", "replace")
        ms, dash, number = plain.partition("-")
        # Not by an expression: consumers read an id or three for each event.
        if ms.isdigit() and ms.isascii() and (not dash or (number.isdigit() and number.isascii())):
            found = cls(int(ms), int(number or 0))
            if found[0] <= _MAX and found[1] <= _MAX and len(plain) <= _LONGEST:
                return found
        raise ValueError(f"no entry id: {text!r}")

    @property
    def next(self) -> "EntryId":
        """The lowest id behind this one; of the highest that there can be, itself."""
        if self.number < _MAX:
            return EntryId(self.ms, self.number + 1)
        return EntryId(self.ms + 1, 0) if self.ms < _MAX else self

    @property
    def previous(self) -> "EntryId":
        """The highest id before this one: a group set to it reads this entry next.

        Of `0-0`, itself.
        """
        if self.number:
            return EntryId(self.ms, self.number - 1)
        return EntryId(self.ms - 1, _MAX) if self.ms else self

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"
