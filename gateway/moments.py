"""Reads moments as an operator types them, and finds past ones as positions in a stream."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import click

from gateway.contract import EntryId

__all__ = ["Moment", "MomentAhead", "parse_deadline", "parse_moment", "position_before"]

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(text: str, *, now: datetime) -> datetime:
    """`90s`, `10m`, `2h` or `1d` before `now`, or an ISO 8601 time (UTC if it names no zone).

    Raises ValueError, with a sentence for people.
    """
    if match := _SPAN.fullmatch(text.strip().lower()):
        try:
            return now - timedelta(**{_UNITS[match[2]]: float(match[1])})
        except OverflowError:
            raise ValueError(f"{text}: too long ago") from None
    try:
        moment = _in_utc(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):  # the latter of the year 10,000, or of none
        raise ValueError(
            f"{text}: neither a time ago (90s, 10m, 2h, 1d) nor a time (2026-01-31T12:00:00Z)"
        ) from None
    return moment


def parse_deadline(text: str, *, now: datetime) -> datetime:
    """`90s`, `10m`, `2h` or `1d` from `now`, or an ISO 8601 time behind it (UTC without a zone).

    Raises ValueError, with a sentence for people.
    """
    if match := _SPAN.fullmatch(text.strip().lower()):
        try:
            return now + timedelta(**{_UNITS[match[2]]: float(match[1])})
        except OverflowError:
            raise ValueError(f"{text}: too late") from None
    try:
        moment = _in_utc(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):  # the latter of the year 10,000, or of none
        raise ValueError(
            f"{text}: neither a time from now (90s, 10m, 2h, 1d) nor a time (2027-01-31T12:00:00Z)"
        ) from None
    if moment <= now:
        raise ValueError(f"{text}: is over")
    return moment


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class Moment(click.ParamType[datetime]):
    """The type of an option that is a moment, as `parse_moment` reads it."""

    name = "time"
    _read: ClassVar[Callable[..., datetime]] = staticmethod(parse_moment)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            return self._read(str(value), now=datetime.now(UTC))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class MomentAhead(Moment):
    """The type of an option that is a moment to come, as `parse_deadline` reads it."""

    _read = staticmethod(parse_deadline)


def position_before(moment: datetime) -> str:
    """The last possible entry id before a moment: what follows it was stored at or after it.

    An entry id begins with the server's clock in milliseconds:
    https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
    """
    return str(EntryId(max(0, round(moment.timestamp() * 1000))).previous)
