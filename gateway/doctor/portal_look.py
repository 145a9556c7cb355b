"""Asks how portals stand, and whether somebody looks after them. Changes nothing."""

from time import time

from redis.asyncio import Redis

from gateway.bitrix24.connecting import connect
from gateway.doctor.finding import Finding, note, red, warning, well
from gateway.missed_events.gap_book import GapBook
from gateway.portal_health.report import PortalReport
from gateway.portal_health.standing import PortalStanding, faults_of
from gateway.portals.directory import chosen
from gateway.reconciler.process import lease_key
from gateway.settings import Settings

__all__ = ["look_at_portals", "portal_findings"]


async def look_at_portals(
    redis: Redis, settings: Settings, name: str | None = None
) -> tuple[list[PortalStanding], bool]:
    """How the portals stand (or the one of this name), and whether somebody looks after them.

    Asks each portal. Raises what a control client raises, and OperatorError if none is called so.
    """
    async with connect(settings) as bitrix24:
        gaps = GapBook(redis, prefix=settings.redis.prefix)

        async def missed(member_id: str, since: float) -> int:
            return sum(gap.events for gap in await gaps.of(member_id) if gap.last >= since)

        report = PortalReport(settings, redis, bitrix24, missed)
        standings = await report.standings(chosen(await report.portals(), name))
        return standings, bool(await redis.exists(lease_key(settings)))


async def portal_findings(redis: Redis, settings: Settings) -> list[Finding]:
    """What is to be mended of each portal, and of the process that looks after them."""
    standings, is_looked_after = await look_at_portals(redis, settings)
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
    if not is_looked_after:
        found.append(
            red(
                "portals",
                "nobody looks after the portals: silence and missed events are not noticed",
                "start `gateway reconcile`",
            )
        )
    return found or [well("portals", f"{len(standings)} portals are well")]
