"""From the fields of a delivery to an event: verified, then normalised.

Everything here is a function of its arguments. What each field really looks like, and which of
them may be missing, differs between applications, webhooks, robots and versions:
https://apidocs.bitrix24.com/api-reference/events/index.html
"""

import re
from typing import Final, Protocol

from msgspec import UNSET, Struct

from gateway.contract import (
    APP_INSTALLED,
    APP_TESTED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    AppData,
    AppEvent,
    AppType,
    CommentData,
    CommentEvent,
    CommentType,
    source_of,
)
from gateway.inbound import clock
from gateway.inbound.errors import Forbidden, Malformed
from gateway.inbound.form_fields import FormFields

__all__ = [
    "OFFLINE_SIGNAL",
    "WRONG_TOKEN",
    "Admitted",
    "AdmittedAppEvent",
    "Ignored",
    "KnownPortal",
    "KnownPortals",
    "admit",
    "normalise",
]

# Event names are upper-case on the wire and camel-case in the documentation.
_COMMENT_TYPES: Final[dict[str, CommentType]] = {
    "ONCRMTIMELINECOMMENTADD": COMMENT_ADDED,
    "ONCRMTIMELINECOMMENTUPDATE": COMMENT_UPDATED,
    "ONCRMTIMELINECOMMENTDELETE": COMMENT_DELETED,
}
_APP_TYPES: Final[dict[str, AppType]] = {
    "ONAPPINSTALL": APP_INSTALLED,
    "ONAPPUNINSTALL": APP_UNINSTALLED,
    "ONAPPTEST": APP_TESTED,
}
OFFLINE_SIGNAL: Final = "offline_signal"
"""Why ONOFFLINEEVENT is ignored: it is no event, it says that some wait in the portal's queue."""
WRONG_TOKEN: Final = "wrong_token"  # noqa: S105 - a reason
"""Why a delivery of a registered portal is refused that carries some other token."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,255}")
_TEST_ID: Final = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_EARLIEST_S: Final = 1_325_376_000
# 2012, the year in which Bitrix24 began.
_MAX_AHEAD_S: Final = 86_400
# Clocks are wrong by hours, where a zone is, and not by days.
_MAX_ID: Final = 2**63 - 1
_MAX_ID_DIGITS: Final = 19


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


class Admitted(Struct, frozen=True):
    """A genuine event that is to be stored."""

    event: CommentEvent | AppEvent
    member_id: str
    comment_id: int


class AdmittedAppEvent(Admitted, frozen=True):
    """One of the application's own events, which may ask for more than being stored.

    Its `comment_id` is 0.
    """

    event: AppEvent


class Ignored(Struct, frozen=True):
    """A genuine delivery that nobody here asked for; answered 200, so that Bitrix24 is content."""

    reason: str
    member_id: str


def admit(
    fields: FormFields, portals: KnownPortals, *, receipt_id: str, received_ms: int
) -> Admitted | Ignored:
    """Verify a delivery and normalise it; the verdict on who sent it comes before any other.

    Raises Forbidden or Malformed.
    """
    member_id = fields.member_id or ""
    portal = portals.verify(member_id, fields.application_token)
    if portal is None:
        is_known = portals.find(member_id) is not None
        reason = _refusal(fields.application_token, is_known=is_known)
        raise Forbidden(reason, member_id, fields.event or "")
    return normalise(fields, portal, receipt_id=receipt_id, received_ms=received_ms)


def normalise(
    fields: FormFields, portal: KnownPortal, *, receipt_id: str, received_ms: int
) -> Admitted | Ignored:
    """What a delivery of this portal says; whether the portal sent it must be known already.

    Raises Malformed.
    """
    member_id = fields.member_id or ""
    if fields.event is None:
        if fields.workflow_id is not None:
            return Ignored("robot", member_id)
        raise Malformed("no_event")
    name = fields.event.upper()
    received_at = clock.milliseconds(received_ms)
    domain = fields.domain
    if domain is None:
        domain = portal.domain
    elif domain != portal.domain:
        # Whatever address somebody had in the browser; a host name is the same in capitals.
        domain = domain.lower() if _DOMAIN.fullmatch(domain) else portal.domain
    if (comment_type := _COMMENT_TYPES.get(name)) is not None:
        # The documentation of comment events shows data[ID]; what is sent is data[FIELDS][ID].
        text = fields.fields_id or fields.data_id or fields.data_id_lowercase
        comment_id = _positive(text)
        if comment_id is None:
            raise Malformed("bad_id" if text else "no_id")
        return Admitted(
            CommentEvent(
                id=receipt_id,
                source=source_of(member_id),
                type=comment_type,
                subject=f"comment/{comment_id}",
                time=_time(fields.ts, received_ms),
                receivedat=received_at,
                data=CommentData(
                    comment_id=comment_id,
                    member_id=member_id,
                    domain=domain,
                    user_id=_positive(fields.user_id),
                    event_handler_id=_positive(fields.event_handler_id),
                ),
            ),
            member_id,
            comment_id,
        )
    if (app_type := _APP_TYPES.get(name)) is not None:
        return AdmittedAppEvent(
            AppEvent(
                id=receipt_id,
                source=source_of(member_id),
                type=app_type,
                subject="app",
                time=_time(fields.ts, received_ms),
                receivedat=received_at,
                data=AppData(
                    member_id=member_id,
                    domain=domain,
                    user_id=_positive(fields.user_id),
                    event_handler_id=_positive(fields.event_handler_id),
                    clean=fields.clean == "1",
                    test=_test_id(fields.canary) if app_type == APP_TESTED else UNSET,
                ),
            ),
            member_id,
            0,
        )
    return Ignored(OFFLINE_SIGNAL if name == "ONOFFLINEEVENT" else "not_subscribed", member_id)


def _refusal(token: str | None, *, is_known: bool) -> str:
    """Why, for the operator; the sender is told nothing."""
    if not is_known:
        return "unknown_portal"
    return WRONG_TOKEN if token else "missing_token"


def _test_id(text: str | None) -> str | None:
    return text if text and _TEST_ID.fullmatch(text) else None


def _positive(text: str | None) -> int | None:
    """The number, if the text is a positive decimal of at most 63 bits without leading zeros."""
    if not text or len(text) > _MAX_ID_DIGITS or not (text.isdecimal() and text.isascii()):
        return None
    number = int(text)
    return number if text[0] != "0" and number <= _MAX_ID else None


def _time(ts: str | None, received_ms: int) -> str:
    """Bitrix24's clock, which is informational; the time of receipt where it cannot be believed.

    Nobody drops an event because of it, and no consumer has to reckon with the year 9999.
    """
    received_s = received_ms // 1000
    seconds = _positive(ts)
    if seconds is None or not _EARLIEST_S <= seconds <= received_s + _MAX_AHEAD_S:
        seconds = received_s
    return clock.seconds(seconds)
