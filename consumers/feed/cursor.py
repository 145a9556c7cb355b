"""Reads and writes cursors: how far somebody has read, on all partitions at once. Pure.

A cursor is text of letters, digits, `-` and `_`, of some 25 characters with one partition and ten
more for each other. It holds everything that is needed to go on: no process remembers a reader, so
a cursor is good at every instance, and after every restart.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from gateway.contract import EntryId

__all__ = ["CursorAhead", "Cursors", "ReadPlace", "UnusableCursor"]

_VERSION: Final = 1
_SUM_BYTES: Final = 4
_LONGEST: Final = 16_384
_BITS: Final = 64


class UnusableCursor(ValueError):
    """A text is no cursor of this feed; in a sentence for whoever sent it."""


class CursorAhead(UnusableCursor):
    """A cursor is of partitions that this process does not know yet: another one does."""


class ReadPlace(NamedTuple):
    """How far a partition has been read.

    `id` is that of the last entry that was read, `number` says how many entries the partition had
    ever had up to that one: the server counts all that are added, and by that number it can be
    told whether some were removed unread.
    """

    id: EntryId
    number: int


class Cursors:
    """Writes and reads the cursors of one feed.

    `name` tells it from other feeds, such as that of another stream, whose cursors it refuses.
    """

    def __init__(self, name: str, partitions: int) -> None:
        self._seed = crc32(name.encode())
        self._partitions = partitions

    def written(self, places: Sequence[ReadPlace]) -> str:
        """The cursor of these places, one for each partition in order."""
        base_ms = max(place.id.ms for place in places)
        out = bytearray([_VERSION])
        _put(out, len(places))
        _put(out, base_ms)
        for (ms, number_of_id), number in places:
            _put(out, base_ms - ms)
            _put(out, number_of_id)
            _put(out, number)
        out += crc32(out, self._seed).to_bytes(_SUM_BYTES)
        return urlsafe_b64encode(out).rstrip(b"=").decode()

    def read(self, text: str) -> tuple[ReadPlace, ...]:
        """The places of a cursor; raises UnusableCursor."""
        body = self._body(text)
        numbers = _numbers(body)
        try:
            if next(numbers) != _VERSION:
                raise UnusableCursor("the cursor is of another version of the gateway")
            count, base_ms = next(numbers), next(numbers)
            if count > self._partitions:
                raise CursorAhead(
                    f"the cursor is of {count} partitions, and here {self._partitions} are known"
                )
            places = tuple(
                ReadPlace(EntryId(base_ms - next(numbers), next(numbers)), next(numbers))
                for _ in range(count)
            )
        except (StopIteration, RuntimeError) as error:
            raise UnusableCursor("the cursor is cut off") from error
        is_whole = next(numbers, None) is None
        # Partitions that have been added since, of which nothing can have been read.
        places += (ReadPlace(EntryId(0), 0),) * (self._partitions - count)
        if not is_whole or any(place.id.ms < 0 or max(place.id) >> _BITS for place in places):
            raise UnusableCursor("the cursor is none of this feed")
        return places

    def _body(self, text: str) -> bytes:
        """What stands before the sum, which is right."""
        if len(text) > _LONGEST or not text.isascii() or "=" in text:
            raise UnusableCursor("the cursor is none of this feed")
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError as error:
            raise UnusableCursor("the cursor is none of this feed") from error
        body, found = raw[:-_SUM_BYTES], raw[-_SUM_BYTES:]
        is_canonical = urlsafe_b64encode(raw).rstrip(b"=") == text.encode()
        if not is_canonical or crc32(body, self._seed).to_bytes(_SUM_BYTES) != found:
            raise UnusableCursor("the cursor is none of this feed, or was changed")
        return body


def _put(out: bytearray, number: int) -> None:
    """Append a number: seven bits a byte, the lowest first, and the eighth says that more follow.

    https://protobuf.dev/programming-guides/encoding/#varints
    """
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(raw: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in raw:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
        elif shift >= _BITS:
            raise UnusableCursor("the cursor is none of this feed")
    if shift:
        raise UnusableCursor("the cursor is cut off")
