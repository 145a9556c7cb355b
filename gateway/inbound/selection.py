"""Reads a few values of a form, without decoding or keeping the rest.

Whoever posts a body decides how much there is to decode, and nothing of it is known to be genuine
yet. So of a thousand pairs only the wanted ones are looked at beyond their names, and of each
value that comes more than once only the last is decoded.
"""

from typing import Final

from msgspec import Struct, field

from gateway.inbound.form import DEFAULT_LIMITS, Limits, Path, decoded_value, pairs_of

__all__ = ["Selection"]


class _Branch(Struct, gc=False):
    """Holds what is wanted of an array: our names of values by their keys, and further arrays."""

    values: dict[str | None, str] = field(default_factory=dict)
    arrays: "dict[str | None, _Branch]" = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """All our names in it and further in."""


class Selection:
    """Says what is wanted of a form: names of ours, and where the values stand, as PHP writes it
    (`auth[member_id]`). None of the places may lead to another one.
    """

    def __init__(self, **places: str) -> None:
        self._form: Final = _Branch()
        for name, place in places.items():
            *keys, last = place.replace("]", "").split("[")
            branch = self._form
            for key in keys:
                branch = branch.arrays.setdefault(key, _Branch())
                branch.names.append(name)
            branch.values[last] = name

    def read(self, body: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, str]:
        """The values by our names, as they stand in `parse_form(body, limits)`.

        Those that are absent, or arrays, are missing. Raises FormError as `parse_form` does.
        """
        found: dict[str, bytes] = {}
        for path, value in pairs_of(body, limits):
            self._set(found, path, value)
        return {name: decoded_value(value) for name, value in found.items()}

    def _set(self, found: dict[str, bytes], path: Path, value: bytes) -> None:
        """What setting the value at a path does to the wanted values."""
        branch = self._form
        for length, key in enumerate(path, start=1):
            if name := branch.values.get(key):
                if length == len(path):
                    found[name] = value
                else:  # an array from now on
                    found.pop(name, None)
                return
            if key not in branch.arrays:
                return
            branch = branch.arrays[key]
        for name in branch.names:  # a string stands in place of the array that they were in
            found.pop(name, None)
