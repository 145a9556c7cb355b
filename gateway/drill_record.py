"""Remembers in Redis how the last drill of an installation ended: when, by which version, and how.

One key, without an end: `gateway drill` writes it, `gateway doctor` and `gateway status` read it.
"""

from datetime import datetime

from msgspec import DecodeError, Struct, json
from redis.asyncio import Redis

__all__ = ["DrillRecord", "FaultOutcome", "last_drill", "remember_drill"]


class FaultOutcome(Struct, frozen=True, kw_only=True):
    """What one fault of a drill came to; `wrong` is what went otherwise than it should.

    Of `sent` requests `answered` got 200 and `refused` another answer; `stored` are on the stream,
    and `handled` had an effect in the sink. `lost` were answered 200 and had none, `doubled` had
    more than one entry, `out_of_order` stand behind a later one of their subject. `recognised`
    came to the sink once more, and were recognised there. `not_tried` is why it was not tried.
    """

    fault: str
    sent: int = 0
    answered: int = 0
    spooled: int = 0
    refused: int = 0
    unanswered: int = 0
    stored: int = 0
    handled: int = 0
    lost: int = 0
    doubled: int = 0
    recognised: int = 0
    out_of_order: int = 0
    seconds_without_200: float = 0.0
    wrong: tuple[str, ...] = ()
    not_tried: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether it went as it should, if it was tried at all."""
        return not self.wrong


class DrillRecord(Struct, frozen=True, kw_only=True):
    """A drill that has come to its end: by which version, on which host, how long, how it went.

    It `is_whole` if all faults were asked for, also those that could not be tried there.
    """

    id: str
    at: datetime
    version: str
    host: str
    redis: str
    took_s: float
    rate: float
    is_whole: bool
    outcomes: tuple[FaultOutcome, ...]

    @property
    def is_well(self) -> bool:
        """Whether everything that was tried went as it should."""
        return all(one.is_well for one in self.outcomes)


async def last_drill(redis: Redis, prefix: str) -> DrillRecord | None:
    """How the last one ended; None if there was none, or if its record is of another version.

    Raises one of connections.FAILURES.
    """
    raw = await redis.get(_key(prefix))
    try:
        return None if raw is None else json.decode(raw, type=DrillRecord)
    except DecodeError:
        return None


async def remember_drill(redis: Redis, prefix: str, record: DrillRecord) -> None:
    """Let this be the last one. Raises one of connections.FAILURES."""
    await redis.set(_key(prefix), json.encode(record))


def _key(prefix: str) -> str:
    return f"{prefix}:drill:last"
