"""Decides at which rate the next step is: up to the knee, then below it. Pure."""

from typing import Final

from msgspec import Struct

__all__ = ["Next", "Ramp", "RampPlan"]

_MOST_HOLDS: Final = 6
_KEPT_HOLDS: Final = 2
# So many have to be possible after a step: the first one often fails.


class RampPlan(Struct, frozen=True, kw_only=True):
    """From `first` on, each rate `factor` times the one before, up to `most` events a second.

    `step_s` seconds each; what is held at the end is held for `hold_s`. Each hold that fails is
    followed by one at `back` times its rate. Beyond `max_events` in all there is no further step.
    """

    first: float = 100.0
    factor: float = 1.5
    most: float = 20_000.0
    step_s: float = 5.0
    hold_s: float = 20.0
    back: float = 0.8
    max_events: int = 600_000


class Next(Struct, frozen=True):
    """A step to take: `ramp` upwards, or `hold`, after everything has been worked off."""

    phase: str
    rate: float
    seconds: float


class Ramp:
    """One ramp. `held` is the rate that was held without passing a limit, None if none was.

    A limit counts that is passed twice in a row on the way up: a machine has moments. `ended` is
    why it went no further up.
    """

    def __init__(self, plan: RampPlan) -> None:
        self._plan = plan
        self._step = Next("ramp", plan.first, plan.step_s)
        self._best = 0.0
        self._holds = 0
        self._events = 0
        self._is_over = False
        self._is_again = False
        self.ended = ""
        self.held: float | None = None

    def next(self) -> Next | None:
        """The next step; None when it is over."""
        return None if self._is_over else self._step

    def concluded(self, passed: str, *, sent: int) -> None:
        """Say how that step went: which limit it passed, if any, and how many were sent."""
        self._events += sent
        if self._step.phase == "hold":
            self._held(passed)
        elif passed and not self._is_again:
            self._is_again = True
        else:
            self._is_again = False
            self._rose(passed)

    def _rose(self, passed: str) -> None:
        plan, rate = self._plan, self._step.rate
        if passed:
            self.ended = passed
            self._hold(self._best or rate * plan.back)
            return
        self._best = rate
        after = min(rate * plan.factor, plan.most)
        if rate >= plan.most:
            self.ended = f"the ramp ends at {plan.most:g} events a second"
        elif not self._can_afford(2 * after * plan.step_s + _KEPT_HOLDS * rate * plan.hold_s):
            self.ended = f"no more than {plan.max_events:,} events are sent"
        else:
            self._step = Next("ramp", after, plan.step_s)
            return
        self._hold(rate)

    def _held(self, passed: str) -> None:
        self._is_over = True
        if not passed:
            self.held = self._step.rate
            return
        lower = self._step.rate * self._plan.back
        if self._holds < _MOST_HOLDS and self._can_afford(lower * self._plan.hold_s):
            self._is_over = False
            self._hold(lower)

    def _hold(self, rate: float) -> None:
        self._holds += 1
        self._step = Next("hold", rate, self._plan.hold_s)

    def _can_afford(self, events: float) -> bool:
        return self._events + events <= self._plan.max_events
