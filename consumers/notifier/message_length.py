"""Finds the largest message that a target takes. Pure."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

__all__ = ["WHOLE", "Room", "Shortening", "largest"]

_Made = TypeVar("_Made")


class Shortening(Struct, frozen=True):
    """What is left out: of each comment, text beyond so many characters; of a digest, items."""

    text: int | None = None
    items: int = 50


WHOLE = Shortening()


class Room(Struct, frozen=True):
    """What a target takes: characters of a title, and of all that `size` counts.

    `size` is given title and body, and counts as the target does, after all that Apprise makes of
    them.
    """

    title: int
    body: int
    size: Callable[[str, str], int]

    def holds(self, title: str, body: str) -> bool:
        """Whether a message can be sent whole."""
        return self.size(title, body) <= self.body


def largest(
    least: int, most: int, make: Callable[[int], _Made], fits: Callable[[_Made], bool]
) -> _Made | None:
    """What `make` makes of the largest number that fits, where smaller ones make less.

    None if not even `least` does. Tries as many as `most` has binary digits.
    """
    found = None
    while least <= most:
        number = (least + most + 1) // 2
        made = make(number)
        if fits(made):
            found, least = made, number + 1
        else:
            most = number - 1
    return found
