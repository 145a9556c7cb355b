"""Asks portals for objects, each for as long as it answers."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from consumers.enricher import metrics
from consumers.enricher.bad_object_search import SearchResult, search
from consumers.enricher.fetching import Outcome, PortalAway
from consumers.enricher.reach import Ask, PortalGivenUp, Reaches, Stance, Wait
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.batching import MAX_COMMANDS
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import NoCredentials
from gateway.bitrix24.fetch_methods import Fetched

__all__ = ["PortalRequests", "Told"]

log: Any = structlog.get_logger(__name__)

_FOR_THE_OPERATOR: Final = frozenset(
    {"access_denied", "no_credentials", "not_in_plan", "portal_gone", "unauthorized"}
)

_MAX_APART: Final = 10_000
"""A megabyte. One that is forgotten is found again, by as many calls as it took before."""

_METHOD_PAUSE_S: Final = 5.0
"""Objects of a method whose time is used up are looked at so often, for as long as that takes."""

Told = Fetched | Wait
"""What is said of an object, or when to ask for it again."""


class PortalRequests:
    """Asks all portals for objects, for any number of callers at once.

    A portal is given up when it has not answered for `give_up_after_s`, and so are a method that is
    at its limit and a single object about which a portal says nothing while it answers about
    others. One that makes requests fail
    is asked for by itself from then on, until it is answered. `clock` is a clock in seconds
    that never goes back.
    """

    def __init__(
        self,
        portals: Bitrix24,
        *,
        give_up_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._portals = portals
        self._clock = clock
        self._failing = Reaches[str](give_up_after_s)
        self._failing_methods = Reaches[tuple[str, str]](give_up_after_s)
        self._failing_objects = Reaches[tuple[str, Wanted]](give_up_after_s)
        self._apart: dict[tuple[str, Wanted], None] = {}
        self._given_up: set[str] = set()
        self._told_of: set[tuple[str, str, str]] = set()

    async def ask(self, member_id: str, objects: Sequence[Wanted]) -> dict[Wanted, Told]:
        """What is to be said of some objects of a portal now; fifty of them take one request."""
        told: dict[Wanted, Told] = {}
        for first in range(0, len(objects), MAX_COMMANDS):
            told |= await self._asked(member_id, objects[first : first + MAX_COMMANDS])
        return told

    async def _asked(self, member_id: str, objects: Sequence[Wanted]) -> dict[Wanted, Told]:
        stance = self._failing.stance(member_id, self._clock())
        if not isinstance(stance, Ask):
            return self._told_of_all(member_id, objects, stance)
        told: dict[Wanted, Told] = {}
        wanted = []
        for one in objects:
            stance = self._object_stance(member_id, one)
            if isinstance(stance, Ask):
                wanted.append(one)
            else:
                told[one] = _as_told(one, stance)
        return told | await self._fetched(member_id, wanted) if wanted else told

    def _object_stance(self, member_id: str, one: Wanted) -> Stance:
        now = self._clock()
        stance = self._failing_methods.stance((member_id, one.method.name), now)
        if isinstance(stance, Ask):
            return self._failing_objects.stance((member_id, one), now)
        if isinstance(stance, Wait):
            # The runtime lets all of a portal wait so long, if nothing of a batch came out.
            return Wait(min(stance.seconds, _METHOD_PAUSE_S), stance.why)
        return stance

    async def _fetched(self, member_id: str, wanted: Sequence[Wanted]) -> dict[Wanted, Told]:
        asked_at = self._clock()
        apart = {one for one in wanted if (member_id, one) in self._apart}
        found: SearchResult | PortalAway
        try:
            found = await search(self._portals.portal(member_id), wanted, apart=apart)
        except NoCredentials:
            outcomes: dict[Wanted, Outcome] = {
                one: one.unavailable("no_credentials") for one in wanted
            }
            found = SearchResult(outcomes, set(), {})
        if isinstance(found, PortalAway):
            self._portal_failed(member_id, found, asked_at)
            stance = self._failing.stance(member_id, self._clock())
            return self._told_of_all(member_id, wanted, stance)
        self._portal_answered(member_id, found.outcomes)
        self._set_apart(member_id, found)
        return {
            one: self._object_told(member_id, one, outcome, asked_at)
            for one, outcome in found.outcomes.items()
        } | {one: Wait(0.0) for one in wanted if one not in found.outcomes}

    def _set_apart(self, member_id: str, found: SearchResult) -> None:
        """Remember which objects are to be asked for by themselves, and tell of them once."""
        for one, why in found.failures.items():
            if (member_id, one) not in self._apart:
                log.warning(
                    "a comment cannot be read: the portal fails when it is asked for it"
                    if one.is_comment
                    else "an object cannot be read: the portal fails when it is asked for it",
                    member_id=member_id,
                    **one.keys,
                    why=why,
                )
        for one in found.outcomes.keys() - found.failures.keys():
            self._apart.pop((member_id, one), None)
        for one in found.apart - (found.outcomes.keys() - found.failures.keys()):
            self._apart[member_id, one] = None
        while len(self._apart) > _MAX_APART:
            del self._apart[next(iter(self._apart))]

    def _object_told(self, member_id: str, one: Wanted, outcome: Outcome, asked_at: float) -> Told:
        method = member_id, one.method.name
        if not isinstance(outcome, PortalAway):
            self._failing_methods.answered(method)
            self._failing_objects.answered((member_id, one))
            return outcome
        told: dict[str, Any] = {
            "asked_at": asked_at,
            "now": self._clock(),
            "retry_in_s": outcome.retry_in_s,
            "why": outcome.why,
        }
        if outcome.is_of_a_method:
            self._failing_methods.failed(method, outcome.reason, **told)
        else:
            self._failing_objects.failed((member_id, one), outcome.reason, **told)
        return _as_told(one, self._object_stance(member_id, one))

    def _portal_failed(self, member_id: str, away: PortalAway, asked_at: float) -> None:
        is_first = self._failing.failed(
            member_id,
            away.reason,
            asked_at=asked_at,
            now=self._clock(),
            retry_in_s=away.retry_in_s,
            why=away.why,
        )
        if is_first:
            metrics.FAILING.set(len(self._failing))
            log.warning(
                "a portal does not answer", member_id=member_id, reason=away.reason, why=away.why
            )

    def _portal_answered(self, member_id: str, outcomes: dict[Wanted, Outcome]) -> None:
        if self._failing.answered(member_id):
            self._given_up.discard(member_id)
            metrics.FAILING.set(len(self._failing))
            log.info("a portal answers again", member_id=member_id)
        for one, outcome in outcomes.items():
            reason = None if isinstance(outcome, PortalAway) else outcome.reason
            # A right may be missing for one method and be there for another.
            about = "" if one.is_comment else one.method.name
            if reason in _FOR_THE_OPERATOR and (member_id, about, reason) not in self._told_of:
                self._told_of.add((member_id, about, reason))
                log.warning(
                    "comments of a portal go out without their text; told once"
                    if one.is_comment
                    else "objects of a portal go out without their fields; told once",
                    member_id=member_id,
                    reason=reason,
                    **({} if one.is_comment else {"method": about}),
                )

    def _told_of_all(
        self, member_id: str, objects: Sequence[Wanted], stance: Stance
    ) -> dict[Wanted, Told]:
        if isinstance(stance, PortalGivenUp) and member_id not in self._given_up:
            self._given_up.add(member_id)
            log.warning(
                "a portal is given up for now: its events go out without texts and fields",
                member_id=member_id,
                reason=stance.reason,
            )
        return {one: _as_told(one, stance) for one in objects}


def _as_told(wanted: Wanted, stance: Stance) -> Told:
    if isinstance(stance, PortalGivenUp):
        return wanted.unavailable(stance.reason)
    return stance if isinstance(stance, Wait) else Wait(0.0)
