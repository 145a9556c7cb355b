"""Listens for portals that have fallen silent."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway.bitrix24.errors import Bitrix24Error
from gateway.contract import PortalData, timestamps
from gateway.portal_health import silence_rule as ears
from gateway.portal_health.gauges import PortalGauges
from gateway.portal_health.silence_rule import SilenceRules, SilenceState
from gateway.portal_health.state_store import PortalStateStore
from gateway.portal_health.troubles import Troubles
from gateway.portal_health.usual_rate import hour_of, usual_per_hour
from gateway.portals.directory import Portal
from gateway.settings import ReconcileSettings
from gateway.traffic.portal_traffic import SLOT_S, Traffic, slot_at

__all__ = ["Ask", "SilenceWatch", "silence_states"]

log: Any = structlog.get_logger(__name__)

Ask = Callable[[Portal], Awaitable[None]]
"""Lets a portal send a test event; raises Bitrix24Error."""

_ROUNDS: Final = 3


def silence_states(client: Redis, *, prefix: str) -> PortalStateStore[SilenceState]:
    """What is known of each portal's rhythm."""
    return PortalStateStore(client, SilenceState, prefix=prefix, field="hearing")


class SilenceWatch:
    """Looks whether portals are heard, and tells when one is not, or is again.

    `now` gives Unix seconds. To be closed when somebody else looks.
    """

    def __init__(
        self,
        client: Redis,
        troubles: Troubles,
        settings: ReconcileSettings,
        *,
        prefix: str,
        ask: Ask,
        now: Callable[[], float],
    ) -> None:
        self._traffic = Traffic(client, prefix=prefix)
        self._states = silence_states(client, prefix=prefix)
        self._troubles = troubles
        self._shown = PortalGauges(life_s=_ROUNDS * settings.silence_every_s)
        self._rules = SilenceRules.of(settings)
        self._ask = ask
        self._now = now

    async def look(self, portal: Portal) -> None:
        """Learn what the portal sent since the last look, and judge its silence.

        Raises one of connections.FAILURES or StreamUnavailable; may be repeated.
        """
        member_id, now = portal.member_id, self._now()
        kept = await self._states.read(member_id)
        before = ears.by_now(kept.value, now) if kept.value else ears.first_heard(now)
        slots = await self._traffic.slots(member_id, before.next_slot, slot_at(now))
        after = ears.heard(before, slots, now=now, rules=self._rules)
        if after != kept.value and not await self._states.swap(member_id, kept, after):
            return  # somebody else leads by now
        if after.asked_at is not None and before.asked_at is None:
            await self._test(portal)
        last_event_at = await self._traffic.last_event_at(member_id)
        if after.alarm_at is None:
            await self._troubles.over(member_id, "silent")
        else:
            await self._troubles.began(_silence_of(portal, after, last_event_at))
        self._shown.show(
            member_id,
            last_event_at=last_event_at,
            troubles=await self._troubles.lasting(member_id),
            now=now,
        )

    def close(self) -> None:
        """Show no metrics any more."""
        self._shown.close()

    async def _test(self, portal: Portal) -> None:
        log.info(
            "a portal is unusually silent, and is asked for a test event",
            member_id=portal.member_id,
            domain=portal.domain,
        )
        with suppress(Bitrix24Error):  # then nothing comes, and that decides
            await self._ask(portal)


def _silence_of(portal: Portal, state: SilenceState, last_event_at: float | None) -> PortalData:
    """The trouble; where nobody knows when the last event came, since the learnt silence began."""
    assert state.alarm_at is not None  # noqa: S101 - the caller has seen to it
    since = last_event_at or state.next_slot * SLOT_S - state.silent_s
    return PortalData(
        member_id=portal.member_id,
        domain=portal.domain,
        trouble="silent",
        since=timestamps.seconds(int(since)),
        usual_per_hour=usual_per_hour(state.rhythm, hour_of(slot_at(state.alarm_at))),
    )
