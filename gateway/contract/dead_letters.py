"""Writes and reads the entries of dead letters and of redeliveries: what a group could not handle,
and what it is given again.

Both are streams of a group and a partition (`Streams.dead`, `Streams.replay`). A consumer writes
dead letters and reads redeliveries; the operators' commands move entries between the two.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

__all__ = ["DeadLetter", "PastDeath", "Redelivery", "past_deaths"]


class PastDeath(Struct, frozen=True, kw_only=True):
    """How an entry became a dead letter before; its fields are those of DeadLetter."""

    failed_at: str = ""
    reason: str = ""
    error: str = ""
    attempts: int = 0

    def __str__(self) -> str:
        """For people."""
        return f"{self.failed_at} after {self.attempts} attempts: {self.reason}: {self.error}"


def past_deaths(raw: bytes) -> tuple[PastDeath, ...]:
    """Read the field `history` of a redelivery or a letter; nothing from what cannot be read."""
    try:
        return msgspec.json.decode(raw or b"[]", type=tuple[PastDeath, ...])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An entry that a group could not handle, and why.

    `event` is the event's field as it stood on the stream (which may not be an event at all),
    `stream` the stream's name and `entry_id` the entry's id there. `reason` is a code:
    `undecodable`, `rejected`, `failed` (the attempts are used up), `crashed` (processes ended
    while they handled it) or `struck` (an operator wanted it). `error` is for people, without
    secrets. `failed_at` is RFC 3339, UTC, with `Z`; in letters of before, with `+00:00`.
    `traceback` says where a handler raised, and is a field only if one did. `history` is how it
    died before, of a letter that was given back: the last ten times, oldest first, as JSON.
    """

    event: bytes
    group: str
    stream: str
    entry_id: str
    attempts: int
    reason: str
    error: str
    failed_at: str
    traceback: str = ""
    history: tuple[PastDeath, ...] = ()

    def fields(self) -> dict[str, bytes | str | int]:
        """As the fields of a stream entry."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields["history"] = msgspec.json.encode(self.history)
        for name in ("traceback", "history"):
            if not getattr(self, name):
                del fields[name]
        return fields

    @classmethod
    def of(cls, fields: Mapping[bytes, bytes]) -> "DeadLetter":
        """Read the fields of a stream entry, which may be somebody else's.

        What is missing is empty, and attempts that are no number are 0.
        """

        def text(name: bytes) -> str:
            return fields.get(name, b"").decode(errors="replace")

        return cls(
            event=fields.get(b"event", b""),
            group=text(b"group"),
            stream=text(b"stream"),
            entry_id=text(b"entry_id"),
            attempts=int(attempts) if (attempts := text(b"attempts")).isdecimal() else 0,
            reason=text(b"reason"),
            error=text(b"error"),
            failed_at=text(b"failed_at"),
            traceback=text(b"traceback"),
            history=past_deaths(fields.get(b"history", b"")),
        )


class Redelivery(Struct, frozen=True, kw_only=True):
    """An entry that one group is given again.

    `is_replay` is true for an old event whose side effects shall stay silent, and false for one
    that shall be handled like a new one, as a dead letter that is tried again.
    """

    event: bytes
    stream: str
    entry_id: str
    is_replay: bool

    def fields(self) -> dict[str, bytes | str]:
        """As the fields of a stream entry."""
        return {
            "event": self.event,
            "stream": self.stream,
            "entry_id": self.entry_id,
            "kind": "replay" if self.is_replay else "retry",
        }

    @classmethod
    def of(cls, fields: Mapping[bytes, bytes]) -> "Redelivery":
        """Read the fields of a stream entry."""
        return cls(
            event=fields.get(b"event", b""),
            stream=fields.get(b"stream", b"").decode(errors="replace"),
            entry_id=fields.get(b"entry_id", b"").decode(errors="replace"),
            is_replay=fields.get(b"kind") != b"retry",
        )
