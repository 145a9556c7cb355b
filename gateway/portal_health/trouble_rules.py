"""Decides which troubles of a portal last, and what of it is still to be told. Pure.

A trouble is told once when it begins and once when it is over. The event is made together with the
entry about it, so whoever tells it, and however often, tells the same event.
"""

from collections.abc import Collection
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.contract import (
    PORTAL_RECOVERED,
    PORTAL_SILENT,
    PORTAL_SUBJECT,
    PORTAL_TOKEN_EXPIRING,
    PORTAL_UNAUTHORIZED,
    PORTAL_UNBOUND,
    PortalData,
    PortalEvent,
    PortalType,
    Trouble,
    source_of,
    timestamps,
)

__all__ = ["Occasion", "TroubleState", "began", "happened", "over", "told"]

_TYPES: Final[dict[Trouble, PortalType]] = {
    "silent": PORTAL_SILENT,
    "unbound": PORTAL_UNBOUND,
    "token_expiring": PORTAL_TOKEN_EXPIRING,
    "unauthorized": PORTAL_UNAUTHORIZED,
}


class TroubleState(Struct, frozen=True):
    """Of one portal: the troubles that last, with what was told of them, and what is untold."""

    lasting: dict[Trouble, PortalData] = {}
    untold: tuple[PortalEvent, ...] = ()


class Occasion(Struct, frozen=True):
    """A new event's id (UUIDv7), and the time now in Unix milliseconds."""

    event_id: str
    now_ms: int

    @property
    def time(self) -> str:
        """Now, in the contract's form."""
        return timestamps.seconds(self.now_ms // 1000)


def began(state: TroubleState, trouble: PortalData, occasion: Occasion) -> TroubleState:
    """A trouble is there; nothing new if it was there before."""
    if trouble.trouble in state.lasting:
        return state
    noted = happened(state, trouble, occasion)
    return replace(noted, lasting=state.lasting | {trouble.trouble: trouble})


def happened(state: TroubleState, trouble: PortalData, occasion: Occasion) -> TroubleState:
    """A trouble was there, and is mended already."""
    event = _event(_TYPES[trouble.trouble], trouble, occasion)
    return replace(state, untold=(*state.untold, event))


def over(state: TroubleState, trouble: Trouble, occasion: Occasion) -> TroubleState:
    """A trouble is not there, or not any more."""
    if trouble not in state.lasting:
        return state
    begun = state.lasting[trouble]
    ended = PortalData(
        member_id=begun.member_id,
        domain=begun.domain,
        trouble=trouble,
        since=begun.since,
        until=occasion.time,
    )
    event = _event(PORTAL_RECOVERED, ended, occasion)
    lasting = {name: data for name, data in state.lasting.items() if name != trouble}
    return TroubleState(lasting=lasting, untold=(*state.untold, event))


def told(state: TroubleState, event_ids: Collection[str]) -> TroubleState:
    """These events have been told."""
    left = tuple(event for event in state.untold if event.id not in event_ids)
    return replace(state, untold=left)


def _event(event_type: PortalType, data: PortalData, occasion: Occasion) -> PortalEvent:
    return PortalEvent(
        id=occasion.event_id,
        source=source_of(data.member_id),
        type=event_type,
        subject=PORTAL_SUBJECT,
        time=occasion.time,
        receivedat=timestamps.milliseconds(occasion.now_ms),
        data=data,
    )
