"""What a profile is: where a process spends its time, part by part. Profiles nothing."""

from msgspec import Struct

__all__ = ["Part", "Profile"]


class Part(Struct, frozen=True):
    """A package, and its part of the time, without what it calls or imports."""

    where: str
    share: float


class Profile(Struct, frozen=True):
    """Shows why a benchmark costs what it does; `name` is the benchmark's."""

    name: str
    about: str
    """What was looked into, and how: a sentence that ends in a colon."""

    parts: list[Part]
