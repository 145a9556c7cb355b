"""Writes the bodies that Bitrix24 sends, key by key in its order. Pure: the clock is an argument.

What is documented: https://apidocs.bitrix24.com/api-reference/events/index.html. The order of
keys, the upper-case names and `data[FIELDS][ID]` are those of real requests. The pages about
timeline comments show `data[ID]` and names in mixed case: the form `as-documented`.
What each event says under `data` is `event_data`'s.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from gateway.contract import APP_SUBJECT, COMMENT_SUBJECT, OFFLINE_EVENT, EventType
from gateway.contract.catalogue import CATALOGUE
from gateway.sandbox.event_data import Fields, SubjectId, data_of, with_tokens
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

    `row` is the event's in the table of event types. `has_refresh_token` says that it brings one
    where a user acted.
    """

    summary: str
    name: str = ""
    row: EventType | None = None
    handler_id: int = 0
    webhook_handler_id: int = 0
    has_refresh_token: bool = True

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms in which it exists; the first is the usual one."""
        if self.row is None or self.row.subject_kind.partition("_")[0] == APP_SUBJECT:
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


_WITHOUT_TOKENS: Final = re.compile(r"onApp(Uninstall|MethodConfirm)")
_WITH_REFRESH_TOKEN: Final = re.compile(
    r"onApp(Install|Update|Test)|onSubscription.*|OnCalendar.*|onImCommand.*"
    r"|onImBot(?!(V2)?(JoinChat|Delete)$).*"
)
# As portals register them; all others bring an access token, where a user acted.


def _sample_of(row: EventType, number: int) -> SampleEvent:
    known = _SAMPLES.get(row.short_name)
    handler_id = known.handler_id if known else _FIRST_OTHER_HANDLER + number
    return SampleEvent(
        summary=known.summary if known else row.documented_name,
        name=row.documented_name,
        row=row,
        handler_id=handler_id,
        webhook_handler_id=handler_id + _BETWEEN_HANDLERS,
        has_refresh_token=_WITH_REFRESH_TOKEN.fullmatch(row.documented_name) is not None,
    )


EVENTS: Final[dict[str, SampleEvent]] = {
    **{row.short_name: _sample_of(row, number) for number, row in enumerate(CATALOGUE)},
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
    subject_id: SubjectId | None = None,
    entity_type_id: int | None = None,
    form: Form = "app",
    handler_id: int | None = None,
    data: Value = None,
    name: str = "",
) -> bytes:
    """The body of one request; `ts` is the portal's clock in Unix seconds.

    `subject_id` is that of whatever the event is about, `entity_type_id` that of the smart process
    whose item it is. `handler_id` is for a handler that really is registered; `data` is what the
    event says instead of the usual, `name` the name that it was bound by. Raises ValueError if
    there is no such event, or not in this form.
    """
    kind = EVENTS.get(event)
    if kind is None:
        raise ValueError(f"{event}: no such event; known are {', '.join(EVENTS)}")
    if form not in kind.forms:
        raise ValueError(f"{event} exists only in the form {', '.join(kind.forms)}")
    if event == "robot.activity":
        fields = _robot(portal, ts)
    else:
        if data is None and kind.row is not None:
            data = data_of(kind.row, subject_id, entity_type_id=entity_type_id)
        said = with_tokens(data, partial(_bot_keys, portal, ts))
        fields = _event(kind, portal, ts, said, form)
    if handler_id is not None:
        fields["event_handler_id"] = handler_id
    if name:
        fields["event"] = name
    return encode_form(fields)


def _event(kind: SampleEvent, portal: PortalIdentity, ts: int, data: Value, form: Form) -> Fields:
    fields: Fields = {
        "event": kind.name.upper(),
        "event_handler_id": kind.handler_id,
        "data": data,
        "ts": ts,
        "auth": _portal_keys(portal),
    }
    match form:
        case "app":
            if portal.access_token and not _WITHOUT_TOKENS.fullmatch(kind.name):
                fields["auth"] = _user_keys(portal, ts, with_refresh_token=kind.has_refresh_token)
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
            fields["data"] = data["FIELDS"] if isinstance(data, Mapping) else data
    return fields


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


def _bot_keys(portal: PortalIdentity, ts: int, user_id: Value) -> Fields:
    """What an event says of a bot that is to hear of it: tokens of its own, which are secrets."""
    keys: Fields = {
        "user_id": user_id,
        "access_token": "fake0access0token0of0the0bot",
        "refresh_token": "fake0refresh0token0of0the0bot",
        "client_id": "local.65f1c2d3e4b5a6.12345678",
    }
    others = _user_keys(portal, ts)
    return keys | {name: value for name, value in others.items() if name not in keys}
