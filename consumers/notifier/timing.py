"""Decides when a route may speak: windows, digests, quiet hours. Pure; times in milliseconds."""

from bisect import bisect_left
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from gateway.errors import OperatorError
from gateway.settings import RouteSettings

__all__ = ["QuietHours", "Timing"]

_DAY = timedelta(days=1)


class QuietHours(Struct, frozen=True):
    """From one time of day to another, which may be on the next day."""

    begin: time
    end: time

    @classmethod
    def of(cls, text: str) -> "QuietHours":
        """From `22:00-07:00`; raises ValueError for anything that is no two different times."""
        begin, end = map(time.fromisoformat, text.split("-"))
        if begin == end:
            raise ValueError(f"{text}: begins when it ends")
        return cls(begin, end)

    def until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` (local time) is in, if it is in any; always later.

        By the clock on the wall: in the nights when clocks change, the hours are longer or shorter.
        An end that the clock shows twice is the next one, and one that it leaves out is when it
        leaves it out.
        """
        clock = now.time()
        if self.begin < self.end:
            is_quiet, is_tomorrow = self.begin <= clock < self.end, False
        else:
            is_quiet, is_tomorrow = clock >= self.begin or clock < self.end, clock >= self.begin
        if not is_quiet:
            return None
        day = now.date() + (_DAY if is_tomorrow else timedelta())
        end = datetime.combine(day, self.end, tzinfo=now.tzinfo)
        if _ms(end) > _ms(end.replace(fold=1)):
            return _moment_of_the_jump(end)
        return end if _ms(end) > _ms(now) else end.replace(fold=1)


class Timing(Struct, frozen=True, kw_only=True):
    """A route's times."""

    window_ms: int = 0
    digest_minutes: int = 0
    quiet: QuietHours | None = None
    zone: ZoneInfo = ZoneInfo("UTC")

    @classmethod
    def of(cls, route: RouteSettings, *, name: str) -> "Timing":
        """The times that a route's settings state; raises OperatorError naming the key."""
        try:
            zone = ZoneInfo(route.time_zone)
        except (KeyError, OSError, ValueError) as error:  # what ZoneInfo raises differs
            raise OperatorError(
                f"{name} time_zone: no time zone is called {route.time_zone!r}"
            ) from error
        try:
            quiet = QuietHours.of(route.quiet_hours) if route.quiet_hours else None
        except ValueError as error:
            raise OperatorError(f"{name} quiet_hours: {error}") from error
        return cls(
            window_ms=round(route.window_s * 1000),
            digest_minutes=route.digest_minutes,
            quiet=quiet,
            zone=zone,
        )

    def due_ms(self, since_ms: int) -> int:
        """When that which began at `since_ms` is told: at the end of its window, or in a digest."""
        ready = since_ms + self.window_ms
        return self._next_digest_ms(ready) if self.digest_minutes else ready

    def quiet_until_ms(self, now_ms: int) -> int | None:
        """When the quiet hours end, if these are some."""
        until = self.quiet.until(self.local(now_ms)) if self.quiet else None
        return None if until is None else _ms(until)

    def local(self, at_ms: int) -> datetime:
        """A time on the route's clock."""
        return datetime.fromtimestamp(at_ms / 1000, self.zone)

    def hour_ms(self, now_ms: int) -> tuple[int, int]:
        """The beginning and the end of the hour on the clock, for the hourly cap."""
        local = self.local(now_ms)
        begin = now_ms - (local.minute * 60 + local.second) * 1000 - now_ms % 1000
        return begin, begin + 3_600_000

    def _next_digest_ms(self, ready_ms: int) -> int:
        """The first multiple of the digest's minutes since midnight that is not before `ready`.

        By the clock on the wall; an hour that is there twice has its digests twice.
        """
        local = self.local(ready_ms)
        midnight = datetime.combine(local.date(), time())
        step = timedelta(minutes=self.digest_minutes)
        passed = -((midnight - local.replace(tzinfo=None)) // step)
        slot = min(midnight + passed * step, midnight + _DAY).replace(tzinfo=self.zone)
        return next(
            at for fold in (0, 1) if (at := _ms(slot.replace(fold=fold))) >= ready_ms or fold == 1
        )


def _moment_of_the_jump(missing: datetime) -> datetime:
    """When a clock is put forward over the local time `missing`, which it never shows.

    `fold` reads such a time by the offset of before or of after the jump, which is a second that
    comes after the jump or before it: https://peps.python.org/pep-0495/#mind-the-gap
    """
    zone, after = missing.tzinfo, missing.replace(fold=1).utcoffset()
    early, late = (_ms(missing.replace(fold=fold)) // 1000 for fold in (1, 0))
    passed = bisect_left(
        range(early, late),
        True,
        key=lambda second: datetime.fromtimestamp(second, zone).utcoffset() == after,
    )
    return datetime.fromtimestamp(early + passed, zone)


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1000)
