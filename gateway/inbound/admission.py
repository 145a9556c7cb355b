"""Judges a delivery: who sent it, and whether it is an event that is taken.

No I/O, and no clock but its arguments.
"""

import re
from typing import Final, Protocol

from msgspec import Struct

from gateway.contract import OFFLINE_EVENT
from gateway.event_subscription import EventSubscription
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form_event import Admitted, EventReader
from gateway.inbound.form_fields import FormFields

__all__ = [
    "OFFLINE_SIGNAL",
    "WRONG_TOKEN",
    "Admission",
    "Admitted",
    "Ignored",
    "KnownPortal",
    "KnownPortals",
]

OFFLINE_SIGNAL: Final = "offline_signal"
"""Why ONOFFLINEEVENT is ignored: it is no event, it says that some wait in the portal's queue."""
WRONG_TOKEN: Final = "wrong_token"  # noqa: S105 - a reason
"""Why a delivery of a registered portal is refused that carries some other token."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,255}")
_OFFLINE_EVENT: Final = OFFLINE_EVENT.upper()


class KnownPortal(Protocol):
    """A registered portal."""

    @property
    def domain(self) -> str:
        """Its host name, as it was registered."""
        ...


class KnownPortals(Protocol):
    """Who may send. Neither method does I/O."""

    def find(self, member_id: str) -> KnownPortal | None:
        """The portal of this id, if it is registered."""
        ...

    def verify(self, member_id: str, application_token: str | None) -> KnownPortal | None:
        """The portal of this id, if the token is one of its tokens; in constant time."""
        ...


class Ignored(Struct, frozen=True):
    """A genuine delivery that nobody here asked for; answered 200, so that Bitrix24 is content."""

    reason: str
    member_id: str


class Admission:
    """Judges deliveries: who may send is what `portals` know, what is taken is subscribed to."""

    def __init__(self, portals: KnownPortals, subscription: EventSubscription) -> None:
        self.portals: Final = portals
        self._events = EventReader(subscription)

    def admit(self, fields: FormFields, *, receipt_id: str, received_ms: int) -> Admitted | Ignored:
        """Verify a delivery and normalise it; the verdict on who sent it comes before any other.

        Raises Forbidden or Malformed.
        """
        member_id = fields.member_id or ""
        portal = self.portals.verify(member_id, fields.application_token)
        if portal is None:
            is_known = self.portals.find(member_id) is not None
            reason = _refusal(fields.application_token, is_known=is_known)
            raise Forbidden(reason, member_id, fields.event or "")
        return self.normalise(fields, portal, receipt_id=receipt_id, received_ms=received_ms)

    def normalise(
        self, fields: FormFields, portal: KnownPortal, *, receipt_id: str, received_ms: int
    ) -> Admitted | Ignored:
        """What a delivery of this portal says; whether the portal sent it must be known already.

        Raises Malformed.
        """
        member_id = fields.member_id or ""
        if fields.event is None:
            if fields.workflow_id is not None:
                return Ignored("robot", member_id)
            raise Malformed("no_event")
        name = fields.event.upper()  # it is camel-case in the documentation, and may be here
        domain = fields.domain
        if domain is None:
            domain = portal.domain
        elif domain != portal.domain:
            # Whatever address somebody had in the browser; a host name is the same in capitals.
            domain = domain.lower() if _DOMAIN.fullmatch(domain) else portal.domain
        admitted = self._events.admitted_event(
            fields,
            name,
            member_id=member_id,
            domain=domain,
            receipt_id=receipt_id,
            received_ms=received_ms,
        )
        if admitted is not None:
            return admitted
        return Ignored(OFFLINE_SIGNAL if name == _OFFLINE_EVENT else "not_subscribed", member_id)


def _refusal(token: str | None, *, is_known: bool) -> str:
    """Why, for the operator; the sender is told nothing."""
    if not is_known:
        return "unknown_portal"
    return WRONG_TOKEN if token else "missing_token"
