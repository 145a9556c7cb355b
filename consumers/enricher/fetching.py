"""Asks a portal for comments, and says what its answer means for each of them.

https://apidocs.bitrix24.com/api-reference/crm/timeline/comments/crm-timeline-comment-get.html
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from consumers import Transient
from consumers.enricher import metrics
from gateway.bitrix24.answers import Answer
from gateway.bitrix24.batching import MAX_COMMANDS, Command
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    Limited,
    MaybeDone,
    NoCredentials,
    NotFound,
    NotInPlan,
    PortalGone,
    PortalMoved,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
)
from gateway.bitrix24.probing import why_away
from gateway.bitrix24.rest_comment import NotAComment, comment_id_of, comment_of
from gateway.contract import Comment, timestamps

__all__ = ["Outcome", "PortalAway", "away_of", "fetch", "outcome_of", "outcome_of_call"]

_METHOD: Final = "crm.timeline.comment.get"

# In this order, since some are kinds of others.
_REASONS: Final[Sequence[tuple[type[Bitrix24Error], str]]] = (
    (AccessDenied, "access_denied"),
    (NoCredentials, "no_credentials"),
    (Unauthorized, "unauthorized"),
    (NotInPlan, "not_in_plan"),
    (PortalGone, "portal_gone"),
)


class PortalAway(Struct, frozen=True):
    """The portal did not say: it is out of reach, at its limit, or has moved; `why` in full.

    `may_be_a_comment`: the request was sent, and what came of it may be one comment's fault.
    """

    reason: str
    retry_in_s: float | None = None
    why: str = ""
    may_be_a_comment: bool = False


Outcome = Comment | PortalAway
"""A comment is `present`, `deleted` (there is none), or `unavailable` for a reason that waiting
does not mend."""


async def fetch(
    portal: PortalClient, comment_ids: Sequence[int], *, is_repeatable: bool = True
) -> dict[int, Outcome] | PortalAway:
    """What up to fifty comments look like, by one request; PortalAway if that had no answer at all.

    A portal that is at its limit for each of the comments has given none either. Unless it
    `is_repeatable`, it is not sent again when its answer is lost. Raises Transient while Redis is
    away.
    """
    assert len(comment_ids) <= MAX_COMMANDS  # noqa: S101 - so many are gathered
    began = time.monotonic()
    commands = {str(number): Command(_METHOD, {"id": number}) for number in comment_ids}
    try:
        found = await portal.batch(commands, is_repeatable=is_repeatable)
    except StoreUnavailable as error:
        raise Transient("Redis is away") from error
    except Bitrix24Error as error:
        metrics.FETCHES.labels(_word_for(error)).inc()
        outcome = outcome_of_call(error)
        return outcome if isinstance(outcome, PortalAway) else dict.fromkeys(comment_ids, outcome)
    metrics.FETCHES.labels("answered").inc()
    metrics.FETCH_TIME.observe(time.monotonic() - began)
    metrics.COMMENTS_PER_FETCH.observe(len(comment_ids))
    now = datetime.now(UTC)
    outcomes = {
        number: outcome_of(found[str(number)], number, fetched_at=now) for number in comment_ids
    }
    return _limit_of(outcomes) or outcomes


async def away_of(portal: PortalClient) -> PortalAway | None:
    """None if a portal answers at all; else why not. Raises Transient while Redis is away."""
    error = await why_away(portal)
    if isinstance(error, StoreUnavailable):
        raise Transient("Redis is away") from error
    outcome = None if error is None else outcome_of_call(error)
    return outcome if isinstance(outcome, PortalAway) else None


def outcome_of(answer: Answer | Bitrix24Error, comment_id: int, *, fetched_at: datetime) -> Outcome:
    """What the answer to the very command says of the comment that it asked for."""
    match answer:
        case NotFound():
            return Comment(state="deleted", fetched_at=timestamps.milliseconds_of(fetched_at))
        case Bitrix24Error() as error:
            return outcome_of_call(error)
    try:
        comment = comment_of(answer.result, fetched_at=fetched_at)
    except NotAComment:
        return Comment(state="unavailable", reason="unreadable")
    if comment_id_of(answer.result) != comment_id:
        return Comment(state="unavailable", reason="unreadable")
    return comment


def outcome_of_call(error: Bitrix24Error) -> Outcome:
    """What an error says of each comment that the call was to ask for: never that it is gone.

    An error about the call (its access, its plan, its portal) is no answer about a comment.
    """
    match error:
        case Limited():
            return PortalAway("limited", error.retry_in_s, why=str(error))
        case PortalMoved() | Unavailable():
            is_sent = isinstance(error, MaybeDone)
            return PortalAway(_word_for(error), why=str(error), may_be_a_comment=is_sent)
    return Comment(state="unavailable", reason=_word_for(error))


def _limit_of(outcomes: Mapping[int, Outcome]) -> PortalAway | None:
    """The limit that a portal met with every comment, by the one that it waits for longest."""
    limits = [
        one for one in outcomes.values() if isinstance(one, PortalAway) and one.reason == "limited"
    ]
    if len(limits) < len(outcomes):
        return None
    return max(limits, key=lambda one: one.retry_in_s or 0.0)


def _word_for(error: Bitrix24Error) -> str:
    if isinstance(error, Limited):
        return "limited"
    if isinstance(error, PortalMoved):
        return "moved"
    if isinstance(error, Unavailable):
        return "unreachable"
    return next((word for kind, word in _REASONS if isinstance(error, kind)), "refused")
