"""Asks how portals stand, and whether somebody looks after them. Changes nothing."""

import random
from time import time
from typing import Final

from redis.asyncio import Redis

from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.doctor.finding import Finding, note, red, warning, well
from gateway.missed_events.gap_book import GapBook
from gateway.portal_health.report import PortalReport
from gateway.portal_health.standing import PortalStanding, faults_of
from gateway.portal_health.troubled_portals import troubles_of_portals
from gateway.portals.directory import chosen
from gateway.reconciler.process import lease_key
from gateway.settings import Settings

__all__ = ["look_at_portals", "portal_findings"]

_MOST_ASKED: Final = 100
"""Each is asked over the network; `gateway reconcile` asks all of them in turn, all the time."""


async def look_at_portals(
    redis: Redis, settings: Settings, name: str | None = None
) -> tuple[list[PortalStanding], bool]:
    """How the portals stand (or the one of this name), and whether somebody looks after them.

    Asks each portal. Raises what a control client raises, and OperatorError if none is called so.
    """
    async with connect(settings) as bitrix24:
        report = _report(redis, settings, bitrix24)
        standings = await report.standings(chosen(await report.portals(), name))
        return standings, bool(await redis.exists(lease_key(settings)))


def _report(redis: Redis, settings: Settings, bitrix24: Bitrix24) -> PortalReport:
    gaps = GapBook(redis, prefix=settings.redis.prefix)

    async def missed(member_id: str, since: float) -> int:
        return sum(gap.events for gap in await gaps.of(member_id) if gap.last >= since)

    return PortalReport(settings, redis, bitrix24, missed)


async def _some(redis: Redis, settings: Settings) -> tuple[list[PortalStanding], int]:
    """How a hundred portals stand, those in trouble and any of the rest; and how many there are."""
    async with connect(settings) as bitrix24:
        report = _report(redis, settings, bitrix24)
        portals = await report.portals()
        if len(portals) <= _MOST_ASKED:
            return await report.standings(portals), len(portals)
        member_ids = (one.member_id for one in portals)
        noted = await troubles_of_portals(redis, member_ids, prefix=settings.redis.prefix)
        troubled = {one.member_id for one in noted}
        mixed = random.sample(portals, k=len(portals))
        mixed.sort(key=lambda one: one.member_id not in troubled)
        return await report.standings(mixed[:_MOST_ASKED]), len(portals)


async def portal_findings(redis: Redis, settings: Settings) -> list[Finding]:
    """What is to be mended of each portal, and of the process that looks after them."""
    standings, count = await _some(redis, settings)
    if not standings:
        return [
            note(
                "portals",
                "no portal is registered: every delivery is refused",
                "install the application, `gateway portals add`, or [[portals]] in the settings",
            )
        ]
    warn_token_s = settings.reconcile.warn_token_days * 86_400
    found = [
        warning("portals", f"{one.domain or one.member_id}: {fault.what}", fault.remedy)
        for one in standings
        for fault in faults_of(one, now=time(), warn_token_s=warn_token_s)
    ]
    if len(standings) < count:
        found.append(
            note(
                "portals",
                f"{len(standings):,} of {count:,} portals were asked, those in trouble first",
                "`gateway portals check` asks all of them",
            )
        )
    if not await redis.exists(lease_key(settings)):
        found.append(
            red(
                "portals",
                "nobody looks after the portals: silence and missed events are not noticed",
                "start `gateway reconcile`",
            )
        )
    return found or [well("portals", f"{len(standings)} portals are well")]
