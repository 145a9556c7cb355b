"""Decides when a portal is asked, and when nobody waits for it any more. Pure; times in seconds."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from msgspec import Struct

from gateway.backoff import Backoff

__all__ = ["Ask", "PortalGivenUp", "Reach", "Reaches", "Stance", "Wait"]

Key = TypeVar("Key", bound=Hashable)

_BACKOFF: Final = Backoff(first_s=1.0, limit_s=60.0)


class Ask(Struct, frozen=True):
    """Ask the portal."""


class Wait(Struct, frozen=True):
    """Ask in so many seconds; `why` is how it failed last, for people."""

    seconds: float
    why: str = ""


class PortalGivenUp(Struct, frozen=True):
    """Go on without it, and say why."""

    reason: str


Stance = Ask | Wait | PortalGivenUp


class Reach(Struct):
    """Counts how often something failed that has not answered since, and says when to ask again.

    Once it has failed for `give_up_after_s`, nobody waits for it any more; it is asked nonetheless
    whenever a pause is over, so that its answering is noticed. Time in which it could have been
    asked and was not does not count.
    """

    give_up_after_s: float
    backoff: Backoff = _BACKOFF
    _failing_since: float | None = None
    _failed_at: float = 0.0
    _failures: int = 0
    _ask_at: float = 0.0
    _reason: str = ""
    _why: str = ""

    def failed(
        self,
        reason: str,
        *,
        asked_at: float,
        now: float,
        retry_in_s: float | None = None,
        why: str = "",
    ) -> None:
        """Note that a call which began at `asked_at` had no answer.

        Calls that were under way at the same time count as one. `retry_in_s` is what the portal
        asked for.
        """
        if self._failing_since is None:
            self._failing_since = now
        elif asked_at < self._failed_at:
            return
        else:
            # Nobody has waited while nobody asked: the portal was paused, or nothing came of it.
            self._failing_since += max(0.0, asked_at - self._ask_at)
        self._failures += 1
        self._failed_at = now
        self._reason = reason
        self._why = f"{reason}: {why}" if why else reason
        self._ask_at = now + max(self.backoff.delay_s(self._failures), retry_in_s or 0.0)

    def stance(self, now: float) -> Stance:
        """What to do about a comment of this portal."""
        if self._failing_since is None or now >= self._ask_at:
            return Ask()
        give_up_at = self._failing_since + self.give_up_after_s
        if now >= give_up_at:
            return PortalGivenUp(self._reason)
        return Wait(min(self._ask_at, give_up_at) - now, self._why)


class Reaches(Generic[Key]):
    """The reach of everything that fails at the moment, by its key."""

    def __init__(self, give_up_after_s: float) -> None:
        self._give_up_after_s = give_up_after_s
        self._failing: dict[Key, Reach] = {}

    def __len__(self) -> int:
        return len(self._failing)

    def stance(self, key: Key, now: float) -> Stance:
        """What to do about it."""
        reach = self._failing.get(key)
        return Ask() if reach is None else reach.stance(now)

    def failed(
        self,
        key: Key,
        reason: str,
        *,
        asked_at: float,
        now: float,
        retry_in_s: float | None,
        why: str = "",
    ) -> bool:
        """Note a failure as `Reach.failed` does; whether it is the first one."""
        reach = self._failing.get(key)
        is_first = reach is None
        if reach is None:
            reach = self._failing[key] = Reach(self._give_up_after_s)
        reach.failed(reason, asked_at=asked_at, now=now, retry_in_s=retry_in_s, why=why)
        return is_first

    def answered(self, key: Key) -> bool:
        """Note an answer; whether it had failed before."""
        return self._failing.pop(key, None) is not None
