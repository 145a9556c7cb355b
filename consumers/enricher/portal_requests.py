"""Asks portals for comments, each for as long as it answers."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from consumers.enricher import metrics
from consumers.enricher.bad_comment_search import SearchResult, search
from consumers.enricher.fetching import Outcome, PortalAway
from consumers.enricher.reach import Ask, PortalGivenUp, Reaches, Stance, Wait
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import NoCredentials
from gateway.contract import Comment

__all__ = ["PortalRequests", "Told"]

log: Any = structlog.get_logger(__name__)

_FOR_THE_OPERATOR: Final = frozenset(
    {"access_denied", "no_credentials", "not_in_plan", "portal_gone", "unauthorized"}
)

_MAX_APART: Final = 10_000
"""A megabyte. One that is forgotten is found again, by as many calls as it took before."""

Told = Comment | Wait
"""A comment, or when to ask for it again."""


class PortalRequests:
    """Asks all portals for comments, for any number of callers at once.

    A portal is given up when it has not answered for `give_up_after_s`, and so is a single comment
    about which a portal says nothing while it answers about others. One that makes requests fail
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
        self._failing_comments = Reaches[tuple[str, int]](give_up_after_s)
        self._apart: dict[tuple[str, int], None] = {}
        self._given_up: set[str] = set()
        self._told_of: set[tuple[str, str]] = set()

    async def ask(self, member_id: str, comment_ids: Sequence[int]) -> dict[int, Told]:
        """What is to be said of up to fifty comments of a portal now."""
        stance = self._failing.stance(member_id, self._clock())
        if not isinstance(stance, Ask):
            return dict.fromkeys(comment_ids, self._told(member_id, stance))
        told: dict[int, Told] = {}
        wanted = []
        for comment_id in comment_ids:
            stance = self._failing_comments.stance((member_id, comment_id), self._clock())
            if isinstance(stance, Ask):
                wanted.append(comment_id)
            else:
                told[comment_id] = _as_told(stance)
        return told | await self._fetched(member_id, wanted) if wanted else told

    async def _fetched(self, member_id: str, wanted: Sequence[int]) -> dict[int, Told]:
        asked_at = self._clock()
        apart = {one for one in wanted if (member_id, one) in self._apart}
        found: SearchResult | PortalAway
        try:
            found = await search(self._portals.portal(member_id), wanted, apart=apart)
        except NoCredentials:
            unavailable = Comment(state="unavailable", reason="no_credentials")
            found = SearchResult(dict.fromkeys(wanted, unavailable), set(), {})
        if isinstance(found, PortalAway):
            self._portal_failed(member_id, found, asked_at)
            stance = self._failing.stance(member_id, self._clock())
            return dict.fromkeys(wanted, self._told(member_id, stance))
        self._portal_answered(member_id, found.outcomes)
        self._set_apart(member_id, found)
        return {
            comment_id: self._comment_told((member_id, comment_id), outcome, asked_at)
            for comment_id, outcome in found.outcomes.items()
        } | {comment_id: Wait(0.0) for comment_id in wanted if comment_id not in found.outcomes}

    def _set_apart(self, member_id: str, found: SearchResult) -> None:
        """Remember which comments are to be asked for by themselves, and tell of them once."""
        for comment_id, why in found.failures.items():
            if (member_id, comment_id) not in self._apart:
                log.warning(
                    "a comment cannot be read: the portal fails when it is asked for it",
                    member_id=member_id,
                    comment_id=comment_id,
                    why=why,
                )
        for comment_id in found.outcomes.keys() - found.failures.keys():
            self._apart.pop((member_id, comment_id), None)
        for comment_id in found.apart - (found.outcomes.keys() - found.failures.keys()):
            self._apart[member_id, comment_id] = None
        while len(self._apart) > _MAX_APART:
            del self._apart[next(iter(self._apart))]

    def _comment_told(self, key: tuple[str, int], outcome: Outcome, asked_at: float) -> Told:
        if isinstance(outcome, Comment):
            self._failing_comments.answered(key)
            return outcome
        now = self._clock()
        self._failing_comments.failed(
            key,
            outcome.reason,
            asked_at=asked_at,
            now=now,
            retry_in_s=outcome.retry_in_s,
            why=outcome.why,
        )
        return _as_told(self._failing_comments.stance(key, now))

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

    def _portal_answered(self, member_id: str, outcomes: dict[int, Outcome]) -> None:
        if self._failing.answered(member_id):
            self._given_up.discard(member_id)
            metrics.FAILING.set(len(self._failing))
            log.info("a portal answers again", member_id=member_id)
        reasons = {one.reason for one in outcomes.values() if isinstance(one, Comment)}
        for reason in reasons & _FOR_THE_OPERATOR:
            if (member_id, str(reason)) not in self._told_of:
                self._told_of.add((member_id, str(reason)))
                log.warning(
                    "comments of a portal go out without their text; told once",
                    member_id=member_id,
                    reason=reason,
                )

    def _told(self, member_id: str, stance: Stance) -> Told:
        if isinstance(stance, PortalGivenUp) and member_id not in self._given_up:
            self._given_up.add(member_id)
            log.warning(
                "a portal is given up for now: its comments go out without their text",
                member_id=member_id,
                reason=stance.reason,
            )
        return _as_told(stance)


def _as_told(stance: Stance) -> Told:
    if isinstance(stance, PortalGivenUp):
        return Comment(state="unavailable", reason=stance.reason)
    return stance if isinstance(stance, Wait) else Wait(0.0)
