"""Asks a portal for objects, and says what its answer means for each of them.

A comment is one of them, by a method of its own (gateway.bitrix24.fetch_methods).
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from consumers import Transient
from consumers.enricher import metrics
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.answers import Answer
from gateway.bitrix24.batching import MAX_COMMANDS
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    Limited,
    MaybeDone,
    NoCredentials,
    NotInPlan,
    OperationTimeLimit,
    PortalGone,
    PortalMoved,
    Refused,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
)
from gateway.bitrix24.fetch_methods import Fetched
from gateway.bitrix24.probing import why_away
from gateway.contract import timestamps

__all__ = ["Outcome", "PortalAway", "away_of", "fetch", "outcome_of", "outcome_of_call"]

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

    `may_be_an_object`: the request was sent, and what came of it may be one object's fault.
    `is_of_a_method`: the portal's time for one of the methods is used up, which others still have.
    """

    reason: str
    retry_in_s: float | None = None
    why: str = ""
    may_be_an_object: bool = False
    is_of_a_method: bool = False


Outcome = Fetched | PortalAway
"""An object is `present`, `deleted` (there is none), or `unavailable` for a reason that waiting
does not mend."""


async def fetch(
    portal: PortalClient, wanted: Sequence[Wanted], *, is_repeatable: bool = True
) -> dict[Wanted, Outcome] | PortalAway:
    """What up to fifty objects look like, by one request; PortalAway if that had no answer at all.

    A portal that is at its limit for each of the objects has given none either. Unless it
    `is_repeatable`, it is not sent again when its answer is lost. Raises Transient while Redis is
    away.
    """
    assert len(wanted) <= MAX_COMMANDS  # noqa: S101 - so many are gathered
    began = time.monotonic()
    commands = {str(number): one.command for number, one in enumerate(wanted)}
    try:
        found = await portal.batch(commands, is_repeatable=is_repeatable)
    except StoreUnavailable as error:
        raise Transient("Redis is away") from error
    except Bitrix24Error as error:
        metrics.FETCHES.labels(_word_for(error)).inc()
        outcomes = {one: outcome_of_call(error, one) for one in wanted}
        away = next(iter(outcomes.values()), None)
        return away if isinstance(away, PortalAway) else outcomes
    metrics.FETCHES.labels("answered").inc()
    metrics.FETCH_TIME.observe(time.monotonic() - began)
    metrics.OBJECTS_PER_FETCH.observe(len(wanted))
    now = datetime.now(UTC)
    outcomes = {
        one: outcome_of(found[name], one, fetched_at=now)
        for name, one in zip(commands, wanted, strict=True)
    }
    return _limit_of(outcomes) or outcomes


async def away_of(portal: PortalClient) -> PortalAway | None:
    """None if a portal answers at all; else why not. Raises Transient while Redis is away."""
    error = await why_away(portal)
    if isinstance(error, StoreUnavailable):
        raise Transient("Redis is away") from error
    return None if error is None else _away_by(error)


def outcome_of(answer: Answer | Bitrix24Error, wanted: Wanted, *, fetched_at: datetime) -> Outcome:
    """What the answer to the very command says of the object that it asked for."""
    if isinstance(answer, Refused) and wanted.method.says_gone(answer):
        return wanted.deleted(timestamps.milliseconds_of(fetched_at))
    if isinstance(answer, Bitrix24Error):
        return outcome_of_call(answer, wanted)
    tree = wanted.method.found_in(answer.result)
    if tree is None and wanted.method.hides:
        return wanted.unavailable("absent_or_denied")
    described = wanted.method.described(tree, wanted.subject, fetched_at=fetched_at)
    return described or wanted.unavailable("unreadable")


def outcome_of_call(error: Bitrix24Error, wanted: Wanted) -> Outcome:
    """What an error says of each object that the call was to ask for: never that it is gone.

    An error about the call (its access, its plan, its portal) is no answer about an object.
    """
    return _away_by(error) or wanted.unavailable(_word_for(error))


def _away_by(error: Bitrix24Error) -> PortalAway | None:
    match error:
        case Limited():
            is_of_a_method = isinstance(error, OperationTimeLimit)
            return PortalAway(
                "limited", error.retry_in_s, why=str(error), is_of_a_method=is_of_a_method
            )
        case PortalMoved() | Unavailable():
            is_sent = isinstance(error, MaybeDone)
            return PortalAway(_word_for(error), why=str(error), may_be_an_object=is_sent)
    return None


def _limit_of(outcomes: Mapping[Wanted, Outcome]) -> PortalAway | None:
    """The limit that a portal met with every object, by the one that it waits for longest."""
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
