"""Tells troubles of portals once each: as an event on the stream, in the log, and as a metric."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import structlog
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway import metrics
from gateway.contract import PORTAL_RECOVERED, PortalData, PortalEvent, Trouble, timestamps
from gateway.portal_health import trouble_rules as books
from gateway.portal_health.state_store import PortalStateStore
from gateway.portal_health.trouble_rules import Occasion, TroubleState
from gateway.portal_health.troubled_index import TroubledIndex

__all__ = ["PortalEventSink", "Troubles", "trouble_states"]

log: Any = structlog.get_logger(__name__)

_BEGINNINGS: Final[dict[Trouble, str]] = {
    "silent": "a portal has fallen silent",
    "unbound": "event handlers of a portal were gone",
    "token_expiring": "the refresh token of a portal ends soon",
    "unauthorized": "a portal refuses the gateway",
}


def trouble_states(client: Redis, *, prefix: str) -> PortalStateStore[TroubleState]:
    """What is noted of each portal's troubles."""
    return PortalStateStore(client, TroubleState, prefix=prefix, field="troubles")


class PortalEventSink(Protocol):
    """Where events are published once, whoever publishes them and however often."""

    def publish(self, events: Sequence[PortalEvent]) -> Awaitable[int]:
        """Publish; raises StreamUnavailable."""
        ...


class Troubles:
    """Notes what is wrong with portals, and tells it.

    Every method may be repeated, and raises one of connections.FAILURES or
    StreamUnavailable; what was noted by then is told the next time. `clock` gives Unix nanoseconds.
    """

    def __init__(
        self,
        client: Redis,
        sink: PortalEventSink,
        *,
        prefix: str,
        clock: Callable[[], int],
    ) -> None:
        self._states = trouble_states(client, prefix=prefix)
        self._troubled = TroubledIndex(client, prefix=prefix)
        self._sink = sink
        self._clock = clock

    async def lasting(self, member_id: str) -> dict[Trouble, PortalData]:
        """What is wrong with a portal now."""
        return ((await self._states.read(member_id)).value or TroubleState()).lasting

    async def began(self, trouble: PortalData) -> None:
        """A trouble is there; it is told if it was not there before."""
        await self._note(trouble.member_id, lambda state, now: books.began(state, trouble, now))

    async def happened(self, trouble: PortalData) -> None:
        """A trouble was there, and is mended already."""
        await self._note(trouble.member_id, lambda state, now: books.happened(state, trouble, now))

    async def over(self, member_id: str, trouble: Trouble) -> None:
        """A trouble is not there; its end is told if it was there before."""
        await self._note(member_id, lambda state, now: books.over(state, trouble, now))

    async def _note(
        self, member_id: str, change: Callable[[TroubleState, Occasion], TroubleState]
    ) -> None:
        occasion = Occasion(str(uuid7()), self._clock() // 1_000_000)
        state = await self._changed(member_id, lambda state: change(state, occasion))
        if state.untold:
            await self._sink.publish(state.untold)
            for event in state.untold:
                _tell(event)
            event_ids = [event.id for event in state.untold]
            await self._changed(member_id, lambda state: books.told(state, event_ids))

    async def _changed(
        self, member_id: str, change: Callable[[TroubleState], TroubleState]
    ) -> TroubleState:
        is_again = False
        while True:
            kept = await self._states.read(member_id)
            state = kept.value or TroubleState()
            changed = change(state)
            if changed != state or changed.lasting or is_again:
                # First, so that whoever ends between the two does both again at the next look.
                await self._troubled.note(member_id, changed.lasting.values())
            if changed == state or await self._states.swap(member_id, kept, changed):
                return changed
            is_again = True


def _tell(event: PortalEvent) -> None:
    data = event.data
    about: dict[str, Any] = {
        "event_id": event.id,
        "member_id": data.member_id,
        "domain": data.domain,
        "since": data.since,
    }
    if event.type == PORTAL_RECOVERED:
        lasted = event.occurred_at - timestamps.moment_of(data.since)
        log.info(
            "a trouble of a portal is over",
            trouble=data.trouble,
            lasted_s=round(lasted.total_seconds()),
            **about,
        )
        return
    metrics.PORTAL_TROUBLES.labels(data.trouble).inc()
    if data.usual_per_hour is not None:
        about["usual_per_hour"] = round(data.usual_per_hour, 1)
    if data.missing:
        about |= {"missing": list(data.missing), "is_mended": data.is_mended}
    if data.expires_at is not None:
        about["expires_at"] = data.expires_at
    if data.reason:
        about["why"] = data.reason
    log.warning(_BEGINNINGS[data.trouble], **about)
