"""Decides what a target's sender does next with the notices that are due. Pure.

Crashes, age, quiet hours, digests and the hourly cap all come down to one decision for each notice:
send it now, alone or together with others; hold it back until later; or give it up.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

from consumers.notifier.notices import Notice
from consumers.notifier.timing import Timing

__all__ = ["Due", "NoticeGivenUp", "Parcel", "SendPlan", "SendPolicy", "plan"]


_HOUR_MS: Final = 3_600_000
_MARGIN_MS: Final = 60_000
"""For clocks of processes that differ a little."""


class Due(Struct, frozen=True):
    """A notice whose time has come, under its key."""

    key: str
    notice: Notice


class Parcel(Struct, frozen=True):
    """One message: one notice, or several in a digest."""

    notices: tuple[Due, ...]

    @property
    def id(self) -> str:
        """The same for every attempt to send the same thing: receivers may drop doubles by it."""
        ids = [due.notice.event_id for due in self.notices]
        return ids[0] if len(ids) == 1 else sha256(" ".join(sorted(ids)).encode()).hexdigest()[:32]


class NoticeGivenUp(Struct, frozen=True):
    """A notice that nobody will be told of, and why."""

    due: Due
    reason: Literal["too old", "cut off by a crash"]


class SendPolicy(Struct, frozen=True, kw_only=True):
    """What a route's settings say about sending."""

    timing: Timing
    max_per_hour: int = 0
    max_age_ms: int = 86_400_000
    after_crash: Literal["resend", "drop"] = "resend"

    @property
    def is_holding(self) -> bool:
        """Whether notices may be held back, to come as one message later."""
        return self.timing.quiet is not None or self.max_per_hour > 0

    def farthest_ms(self, now_ms: int) -> int:
        """The latest time to which anything is put off now: whatever is due later was not by us.

        By window and digest, by a target that asks to be left alone, by quiet hours, which are 25
        hours at most on the day when clocks are put back.
        """
        held_ms = 25 * _HOUR_MS if self.timing.quiet is not None else 0
        return max(self.timing.due_ms(now_ms), now_ms + max(_HOUR_MS, held_ms)) + _MARGIN_MS


class SendPlan(Struct, frozen=True, kw_only=True):
    """The decisions for the notices that are due; those not mentioned stay due."""

    parcels: tuple[Parcel, ...] = ()
    withdrawn: tuple[Due, ...] = ()
    """Those that may have arrived, and are not to be told again: the comment was deleted since."""
    held: tuple[Due, ...] = ()
    held_until_ms: int = 0
    given_up: tuple[NoticeGivenUp, ...] = ()


def plan(
    due: Sequence[Due], policy: SendPolicy, *, now_ms: int, sent_this_hour: int, max_parcels: int
) -> SendPlan:
    """Decide on the notices in `due`, which are in the order of their times.

    At most `max_parcels` are sent; `sent_this_hour` messages have been sent in this hour.
    """
    given_up = tuple(
        NoticeGivenUp(one, reason)
        for one in due
        if (reason := _hopeless(one.notice, policy, now_ms))
    )
    lost = {one.due.key for one in given_up}
    left_over = [one for one in due if one.key not in lost]
    withdrawn = tuple(one for one in left_over if one.notice.lease and one.notice.is_withdrawn)
    live = [one for one in left_over if one not in withdrawn]
    done = partial(SendPlan, withdrawn=withdrawn, given_up=given_up)
    quiet_until = policy.timing.quiet_until_ms(now_ms)
    if quiet_until is not None:
        return done(held=tuple(live), held_until_ms=quiet_until)
    parcels = _parcels(live, is_digest=policy.timing.digest_minutes > 0)
    if not policy.max_per_hour:
        return done(parcels=tuple(parcels[:max_parcels]))
    left = max(0, policy.max_per_hour - sent_this_hour)
    return done(
        parcels=tuple(parcels[: min(left, max_parcels)]),
        held=tuple(one for parcel in parcels[left:] for one in parcel.notices),
        held_until_ms=policy.timing.hour_ms(now_ms)[1],
    )


def _hopeless(
    notice: Notice, policy: SendPolicy, now_ms: int
) -> Literal["too old", "cut off by a crash"] | None:
    # A lease that is due has run out: its holder crashed between sending and saying so. Or else the
    # attempt was not answered, which is known.
    if notice.lease and not notice.is_unsure and policy.after_crash == "drop":
        return "cut off by a crash"
    return "too old" if now_ms - notice.since_ms > policy.max_age_ms else None


def _parcels(due: Sequence[Due], *, is_digest: bool) -> list[Parcel]:
    """The messages, in the order of their times: again as they were, if it is not known whether
    they arrived; held ones together; others each.
    """
    messages: dict[tuple[str, str], list[Due]] = {}
    for one in due:
        if one.notice.lease:
            message = ("again", one.notice.lease)
        elif is_digest or one.notice.is_held:
            message = ("together", "")
        else:
            message = ("alone", one.key)
        messages.setdefault(message, []).append(one)
    return [Parcel(tuple(some)) for some in messages.values()]
