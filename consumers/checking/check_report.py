"""Says what became of each case that a consumer was tried with."""

from typing import Literal

from msgspec import Struct

from consumers.checking.author_code import Place

__all__ = ["CaseResult", "CheckReport", "How", "Outcome"]

Outcome = Literal["handled", "ignored", "rejected", "broken"]
How = Literal["raised", "rejected", "postponed", "hung", "blocked", "exited"]


class CaseResult(Struct, frozen=True, kw_only=True):
    """What became of one case.

    `ignored` is one of whose events no handler takes any, and `rejected` one that a handler made
    dead letters of on purpose. `how` says how a handler broke: it `raised`, `postponed` the event
    without an end, `hung`, `blocked` the event loop, or `exited`; then `error` says why, `place` is
    the line, and `event` the event, as it stands on the stream. `blocked_s` is for how long the
    event loop stood still, at the line `blocked_at`, which breaks nothing while it is short.
    """

    name: str
    about: str
    outcome: Outcome
    how: How | None = None
    handler: str = ""
    error: str = ""
    place: Place | None = None
    traceback: str = ""
    event: str = ""
    blocked_s: float = 0.0
    blocked_at: Place | None = None


class CheckReport(Struct, frozen=True, kw_only=True):
    """What became of all cases; it is good if none is broken."""

    group: str
    stream: str
    results: list[CaseResult]

    def of(self, outcome: Outcome) -> list[CaseResult]:
        """The cases that came out so, in their order."""
        return [one for one in self.results if one.outcome == outcome]

    @property
    def is_good(self) -> bool:
        """Whether nothing broke."""
        return not self.of("broken")
