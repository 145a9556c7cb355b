"""Defines what the consumer and its loading process say to each other, and how it is framed.

Over a pair of sockets, each message as MessagePack behind its length in four bytes. One call is
under way at a time, and each has one reply.
"""

from typing import Final, Literal

from msgspec import Struct, msgpack

from gateway.settings import LogSettings, WarehouseSettings

__all__ = [
    "LENGTH_BYTES",
    "Call",
    "Done",
    "Failed",
    "FailureKind",
    "Load",
    "Opening",
    "Prepare",
    "RawEntry",
    "Reply",
    "decode_call",
    "decode_opening",
    "decode_reply",
    "framed",
]

LENGTH_BYTES: Final = 4


class Opening(Struct, frozen=True, kw_only=True):
    """Comes first: which warehouse is to be loaded. It never stands on a command line."""

    warehouse: WarehouseSettings
    log: LogSettings


class RawEntry(Struct, frozen=True, array_like=True, gc=False):
    """An entry as it stands on the stream: decoding it again costs less than passing its fields."""

    stream: str
    partition: int
    id: str
    raw: bytes


class Prepare(Struct, frozen=True, tag=True):
    """Make the tables, or bring older ones up to this version."""


class Load(Struct, frozen=True, tag=True):
    """Merge the rows of these entries; the reply comes when they are committed."""

    entries: list[RawEntry]


class Done(Struct, frozen=True, tag=True):
    """It is done; of a load, with how many rows.

    `is_last` says that the process ends now, and that the next call is for another one.
    """

    rows: int = 0
    is_last: bool = False


FailureKind = Literal["away", "unusable", "unfit", "operator", "unexpected"]


class Failed(Struct, frozen=True, tag=True):
    """It is not done; `kind` says by which exception, `why` is its message."""

    kind: FailureKind
    why: str


Call = Prepare | Load
Reply = Done | Failed

_opening: Final = msgpack.Decoder(Opening)
_call: Final[msgpack.Decoder[Call]] = msgpack.Decoder(Call)
_reply: Final[msgpack.Decoder[Reply]] = msgpack.Decoder(Reply)


def framed(message: Struct) -> bytes:
    """The message as it goes over the socket."""
    encoded = msgpack.encode(message)
    return len(encoded).to_bytes(LENGTH_BYTES) + encoded


def decode_opening(encoded: bytes) -> Opening:
    """The first message."""
    return _opening.decode(encoded)


def decode_call(encoded: bytes) -> Call:
    """One that the consumer sent."""
    return _call.decode(encoded)


def decode_reply(encoded: bytes) -> Reply:
    """One that the loading process sent."""
    return _reply.decode(encoded)
