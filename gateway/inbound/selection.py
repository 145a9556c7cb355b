"""Reads a few values of a form, without decoding or keeping the rest.

Whoever posts a body decides how much there is to decode, and nothing of it is known to be genuine
yet. So of a thousand pairs only the wanted ones are looked at beyond their names, and of each
value that comes more than once only the last is decoded.
"""

from collections.abc import Iterable
from typing import Final

from gateway.inbound.form import DEFAULT_LIMITS, Limits, Path, decoded_value, pairs_of

__all__ = ["Selection"]

_Place = tuple[str | None, ...]


class Selection:
    """Says what is wanted of a form: names of ours, and where the values stand, as PHP writes it
    (`auth[member_id]`). None of the places may lead to another one.
    """

    def __init__(self, **places: str) -> None:
        self._names: Final[dict[_Place, str]] = {
            _place(place): name for name, place in places.items()
        }
        self._beyond: Final[dict[_Place, list[_Place]]] = {}
        for place in self._names:
            for length in range(1, len(place)):
                self._beyond.setdefault(place[:length], []).append(place)
        self._first_keys: Final = frozenset(place[0] for place in self._names)

    def read(self, body: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, str]:
        """The values by our names, as they stand in `parse_form(body, limits)`.

        Those that are absent, or arrays, are missing. Raises FormError as `parse_form` does.
        """
        found: dict[_Place, bytes] = {}
        for path, value in pairs_of(body, limits):
            if path[0] in self._first_keys:
                self._set(found, path, value)
        return {self._names[place]: decoded_value(value) for place, value in found.items()}

    def _set(self, found: dict[_Place, bytes], path: Path, value: bytes) -> None:
        """What setting the value at a path does to the wanted values."""
        replaced: Iterable[_Place] = ()
        for length in range(1, len(path) + 1):
            place = tuple(path[:length])
            if place in self._names:
                if length == len(path):
                    found[place] = value
                else:  # an array from now on
                    found.pop(place, None)
                return
            if place not in self._beyond:
                return
            replaced = self._beyond[place]
        for place in replaced:  # a string stands in place of the array that they were in
            found.pop(place, None)


def _place(text: str) -> _Place:
    return tuple(text.replace("]", "").split("["))
