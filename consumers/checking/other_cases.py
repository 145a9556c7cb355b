"""Makes the cases about the application, the portal, and types that nobody has heard of."""

from typing import Any, Final

from consumers.checking.case import Case, made_event
from gateway.contract import (
    APP_INSTALLED,
    APP_TESTED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    PORTAL_RECOVERED,
    PORTAL_SILENT,
    PORTAL_TOKEN_EXPIRING,
    PORTAL_UNAUTHORIZED,
    PORTAL_UNBOUND,
    wire_name_of,
)

__all__ = ["other_cases"]

_UNBOUND: Final = wire_name_of(COMMENT_ADDED)
_SINCE: Final = "2026-01-31T10:00:00Z"


def other_cases() -> list[Case]:
    """The cases, which are the same on all streams."""
    return [*_of_the_application(), *_of_the_portal(), *_of_unknown_types()]


def _of_the_application() -> list[Case]:
    def event(event_type: str, **data: Any) -> bytes:
        return made_event(event_type, "app", data)

    return [
        Case(
            name="app",
            about="the application is installed, tested and uninstalled; its subject has no id",
            events=(
                event(APP_INSTALLED, user_id=7, event_handler_id=None, clean=False),
                event(APP_TESTED, test="canary"),
                event(APP_TESTED, test=None),
                event(APP_UNINSTALLED, clean=False),
            ),
        ),
        Case(
            name="app-erased",
            about="it is uninstalled, and its data are to be erased: clean is true",
            events=(event(APP_UNINSTALLED, clean=True),),
        ),
        Case(
            name="app-bare",
            about="all that is optional is absent",
            events=(event(APP_INSTALLED), event(APP_UNINSTALLED)),
        ),
    ]


def _of_the_portal() -> list[Case]:
    def event(event_type: str, trouble: str, **data: Any) -> bytes:
        own = {"trouble": trouble, "since": _SINCE, **data}
        return made_event(event_type, "portal", own)

    return [
        Case(
            name="portal",
            about="the gateway tells of a portal's troubles, and of the end of one",
            events=(
                event(PORTAL_SILENT, "silent", usual_per_hour=12.5),
                event(PORTAL_UNBOUND, "unbound", missing=[_UNBOUND], is_mended=True),
                event(PORTAL_TOKEN_EXPIRING, "token_expiring", expires_at=_SINCE),
                event(PORTAL_UNAUTHORIZED, "unauthorized", reason="invalid_grant"),
                event(PORTAL_RECOVERED, "silent", until=_SINCE),
            ),
        ),
        Case(
            name="portal-bare",
            about="all that is optional is absent",
            events=(event(PORTAL_SILENT, "silent"),),
        ),
    ]


def _of_unknown_types() -> list[Case]:
    return [
        Case(
            name="unknown-type",
            about="a later version has a type that nobody has heard of",
            events=(
                made_event("bitrix24.unheard_of.happened", "unheard_of/1", {"fields": {}}),
                made_event("bitrix24.unheard_of.happened", "unheard_of", {"other": [1, None, {}]}),
            ),
        ),
        Case(
            name="unknown-no-data",
            about="an event has no data at all",
            events=(made_event("bitrix24.unheard_of.happened", "unheard_of", None),),
        ),
        Case(
            name="gateway-event",
            about="the gateway writes down what was erased, and by whom something was done",
            events=(
                made_event("gateway.data.erased", "comment/999", {"by": "gateway"}),
                made_event("gateway.operator.acted", "portal", {"did": None}),
            ),
        ),
    ]
