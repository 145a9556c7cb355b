"""Writes and reads the last failed attempt of an entry, as the owner of its partition keeps it.

They stand in a hash of a group and a partition (`Streams.failures`). Consumers write it; operators'
commands read it to say why an entry waits.
"""

import msgspec
from msgspec import Struct

__all__ = ["FailedAttempt"]


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """How a group failed last with an entry that it has still to handle.

    `at` is RFC 3339, UTC, with `Z`. `attempts` counts all of them so far, in whichever process.
    `failures` are those that count towards a dead letter, the first of them was at `since`; empty
    if there are none. `error` is for people, of bounded length, without secrets. `is_transient`
    says that something was away and the attempt does not count towards a dead letter. `portal` is
    a member id, `handler` the name of the function.
    """

    at: str
    attempts: int
    error: str
    event_id: str
    portal: str
    subject: str
    handler: str
    is_transient: bool = False
    failures: int = 0
    since: str = ""

    @staticmethod
    def field(source: str, entry_id: str) -> str:
        """The hash's field of an entry of a source: `events`, `comments`, or `replay`."""
        return f"{source}:{entry_id}"

    def encode(self) -> bytes:
        """As the value of that field."""
        return msgspec.json.encode(self)

    @classmethod
    def of(cls, value: bytes) -> "FailedAttempt | None":
        """Read a value, which may be somebody else's; None for what is none."""
        try:
            return msgspec.json.decode(value, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
