"""Writes the bodies that Bitrix24 sends, key by key in its order. Pure: the clock is an argument.

What is documented: https://apidocs.bitrix24.com/api-reference/events/index.html. The order of
keys, the upper-case names and `data[FIELDS][ID]` are those of real requests. The pages about
timeline comments show `data[ID]` and names in mixed case: the form `as-documented`.
What each event says under `data` is `event_data`'s.
"""

from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from gateway.contract import APP_SUBJECT, COMMENT_SUBJECT, EVENT_TYPES, OFFLINE_EVENT, EventType
from gateway.sandbox.event_data import SMART_PROCESS, Fields, SubjectId, data_of
from gateway.sandbox.php_form import Value, encode_form
from gateway.sandbox.portal import PortalIdentity

__all__ = ["EVENTS", "FORMS", "Form", "SampleEvent", "body_of"]

Form: TypeAlias = Literal[
    "app", "app-without-tokens", "webhook", "webhook-three-keys", "as-documented"
]
"""Through which binding an event is told.

`app`: an application, on behalf of a user; `app-without-tokens`: nobody in particular acted (a
robot, an agent); `webhook`: an outgoing webhook; `webhook-three-keys`: the same from an old portal;
`as-documented`: the shape of the reference pages about timeline comments.
"""

FORMS: Final[tuple[Form, ...]] = get_args(Form)


class SampleEvent(Struct, frozen=True, kw_only=True):
    """A kind of request: its name as documented (empty for a robot), and who registered it.

    `row` is the event's in the table of event types, for those that are about something in the
    portal; `scope` is the right that is needed to bind it.
    """

    summary: str
    name: str = ""
    row: EventType | None = None
    scope: str = ""
    handler_id: int = 0
    webhook_handler_id: int = 0

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms in which it exists; the first is the usual one."""
        if self.row is None:
            return FORMS[:1]
        return FORMS if self.row.subject_kind == COMMENT_SUBJECT else FORMS[:-1]


class _Sample(Struct, frozen=True):
    """What a body says of a row of the table of event types that the row does not say itself."""

    summary: str
    handler_id: int


_SAMPLES: Final[dict[str, _Sample]] = {
    "comment.added": _Sample("a timeline comment was added", 184),
    "comment.updated": _Sample("a timeline comment was updated", 185),
    "comment.deleted": _Sample("a timeline comment was deleted", 186),
    "app.installed": _Sample("the application was installed; carries all tokens", 183),
    "app.tested": _Sample("the application tests its handler by event.test", 188),
    "app.uninstalled": _Sample("the application was uninstalled, its data to be erased", 187),
}
_FIRST_OTHER_HANDLER: Final = 191
_BETWEEN_HANDLERS: Final = 790
"""How far the registrations of a webhook are from those of the application."""


def _sample_of(row: EventType, number: int) -> SampleEvent:
    known = _SAMPLES.get(row.short_name)
    handler_id = known.handler_id if known else _FIRST_OTHER_HANDLER + number
    return SampleEvent(
        summary=known.summary if known else row.documented_name,
        name=row.documented_name,
        row=None if row.subject_kind == APP_SUBJECT else row,
        scope=row.scope,
        handler_id=handler_id,
        webhook_handler_id=handler_id + _BETWEEN_HANDLERS,
    )


EVENTS: Final[dict[str, SampleEvent]] = {
    **{row.short_name: _sample_of(row, number) for number, row in enumerate(EVENT_TYPES)},
    "offline.signal": SampleEvent(
        summary="something is waiting in the portal's queue of offline events; has no data",
        name=OFFLINE_EVENT,
        handler_id=190,
    ),
    "robot.activity": SampleEvent(summary="an automation rule ran; has no event name"),
}


def body_of(
    event: str,
    *,
    portal: PortalIdentity,
    ts: int,
    subject_id: SubjectId = 999,
    entity_type_id: int = SMART_PROCESS,
    form: Form = "app",
    handler_id: int | None = None,
    data: Fields | None = None,
) -> bytes:
    """The body of one request; `ts` is the portal's clock in Unix seconds.

    `subject_id` is that of whatever the event is about, `entity_type_id` that of the smart process
    whose item it is. `handler_id` is for a handler that really
    is registered; `data` are keys that the event has instead of its usual ones. Raises ValueError
    if there is no such event, or not in this form.
    """
    kind = EVENTS.get(event)
    if kind is None:
        raise ValueError(f"{event}: no such event; known are {', '.join(EVENTS)}")
    if form not in kind.forms:
        raise ValueError(f"{event} exists only in the form {', '.join(kind.forms)}")
    if event == "robot.activity":
        fields = _robot(portal, ts)
    elif kind.row is not None:
        said = data_of(kind.row, subject_id, entity_type_id=entity_type_id)
        if isinstance(said, dict):
            said |= data or {}
        if form == "as-documented":
            said = {"ID": subject_id}
        fields = _about_one(kind, portal, ts, said, form)
    else:
        fields = _lifecycle(event, kind, portal, ts, data or {})
    if handler_id is not None:
        fields["event_handler_id"] = handler_id
    return encode_form(fields)


def _about_one(
    kind: SampleEvent, portal: PortalIdentity, ts: int, data: Value, form: Form
) -> Fields:
    fields: Fields = {
        "event": kind.name.upper(),
        "event_handler_id": kind.handler_id,
        "data": data,
        "ts": ts,
        "auth": _portal_keys(portal),
    }
    match form:
        case "app":
            fields["auth"] = _user_keys(portal, ts)
        case "app-without-tokens":
            pass
        case "webhook":
            fields["event_handler_id"] = kind.webhook_handler_id
        case "webhook-three-keys":
            fields["event_handler_id"] = None
            fields["auth"] = {
                "domain": portal.domain,
                "member_id": portal.member_id,
                "application_token": portal.application_token,
            }
        case "as-documented":
            fields["event"] = kind.name
            fields["event_handler_id"] = None
    return fields


def _lifecycle(
    event: str, kind: SampleEvent, portal: PortalIdentity, ts: int, changes: Fields
) -> Fields:
    data: dict[str, Fields] = {
        "app.installed": {"VERSION": 1, "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "en"},
        "app.tested": {"QUERY": {"any": "data"}, "LANGUAGE_ID": "en"},
        "app.uninstalled": {"CLEAN": True, "LANGUAGE_ID": "en"},
    }
    return {
        "event": kind.name.upper(),
        "event_handler_id": kind.handler_id,
        "data": data.get(event, {}) | changes,
        "ts": ts,
        "auth": _portal_keys(portal)
        if event == "app.uninstalled" or not portal.access_token
        else _user_keys(portal, ts, with_refresh_token=True),
    }


def _robot(portal: PortalIdentity, ts: int) -> Fields:
    workflow = "6581f2a9b3c4d5.12345678"
    return {
        "workflow_id": workflow,
        "code": "send_to_gateway",
        "document_id": ["crm", "CCrmDocumentDeal", "DEAL_15"],
        "document_type": ["crm", "CCrmDocumentDeal", "DEAL"],
        "event_token": f"{workflow}|A1_2_3_4|x",
        "properties": {"comment": "hello"},
        "use_subscription": "N",
        "timeout_duration": 0,
        "ts": ts,
        "auth": _user_keys(portal, ts, with_refresh_token=True),
    }


def _portal_keys(portal: PortalIdentity) -> Fields:
    """`auth` when nobody in particular acted."""
    return {
        "domain": portal.domain,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": portal.server_endpoint,
        "member_id": portal.member_id,
        "application_token": portal.application_token,
    }


def _user_keys(portal: PortalIdentity, ts: int, *, with_refresh_token: bool = False) -> Fields:
    """`auth` when a user acted; only some events bring a refresh token."""
    return {
        "access_token": portal.access_token,
        "expires": ts + 3600,
        "expires_in": 3600,
        "scope": portal.scope,
        "domain": portal.domain,
        "server_endpoint": portal.server_endpoint,
        "status": portal.status,
        "client_endpoint": portal.client_endpoint,
        "member_id": portal.member_id,
        "user_id": portal.user_id,
        "refresh_token": portal.refresh_token if with_refresh_token else None,
        "application_token": portal.application_token,
    }
