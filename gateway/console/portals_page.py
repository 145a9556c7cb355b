"""Answers which portals are registered, what is wrong with them, and how one of them stands."""

import asyncio
from time import time
from typing import Final

from msgspec import Struct

from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import PortalData
from gateway.doctor.portal_look import look_at_portals
from gateway.ops.answer_times import answering
from gateway.portal_health.standing import PortalFault, PortalStanding, faults_of

__all__ = ["NAME", "PortalRow", "PortalsAnswer", "load"]

NAME: Final = "portals"
_SHOWN: Final = 100
_MOST: Final = 1000
_ASKED_S: Final = 1.8
"""How long the portal that is looked at may take to answer."""


class PortalRow(Struct, frozen=True, kw_only=True):
    """A registered portal, and what `gateway reconcile` has found wrong with it."""

    member_id: str
    domain: str
    tokens: int
    troubles: list[PortalData]


class PortalsAnswer(Struct, frozen=True, kw_only=True):
    """Some of the `count` registered portals, those in trouble first, and how one stands.

    `standing` is what the portal that was asked for says by itself, `faults` what of it has to be
    mended, and `why_not` why it was not to be had.
    """

    count: int
    matching: int
    portals: list[PortalRow]
    standing: PortalStanding | None
    faults: list[PortalFault]
    why_not: str | None


async def load(question: PageQuestion) -> PortalsAnswer:
    """Those whose domain or member id has the field `q` in it; `portal` is asked itself."""
    limit = question.number("limit", _SHOWN, most=_MOST)
    part = question.fields.get("q", "").lower()
    known = await question.looks.portals()
    now = await question.looks.now()
    seen = now.status if now.status.portals is not None else now.last
    troubles: dict[str, list[PortalData]] = {}
    for trouble in (seen.portals if seen else None) or ():
        troubles.setdefault(trouble.member_id, []).append(trouble)
    found = [
        PortalRow(
            member_id=one.member_id,
            domain=one.domain,
            tokens=len(one.digests),
            troubles=troubles.get(one.member_id, []),
        )
        for one in known
        if part in one.domain.lower() or part in one.member_id.lower()
    ]
    found.sort(key=lambda one: (not one.troubles, one.domain, one.member_id))
    standing, faults, why_not = await _asked(question)
    return PortalsAnswer(
        count=len(known),
        matching=len(found),
        portals=found[:limit],
        standing=standing,
        faults=faults,
        why_not=why_not,
    )


async def _asked(
    question: PageQuestion,
) -> tuple[PortalStanding | None, list[PortalFault], str | None]:
    """How the portal of the field `portal` stands; raises OperatorError if there is none."""
    if (name := question.fields.get("portal")) is None:
        return None, [], None
    settings = question.settings
    try:
        async with asyncio.timeout(_ASKED_S), answering(settings.redis) as redis:
            standings, _ = await look_at_portals(redis, settings, name)
    except TimeoutError:
        return None, [], f"{name} does not answer within {_ASKED_S:g} s"
    warn_token_s = settings.reconcile.warn_token_days * 86_400
    if len(standings) > 1:
        raise BadQuestion(f"{name}: several portals are called so; give a member_id")
    (standing,) = standings
    return standing, list(faults_of(standing, now=time(), warn_token_s=warn_token_s)), None
