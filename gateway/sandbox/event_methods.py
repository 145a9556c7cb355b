"""Carries out `event.bind`, `event.get`, `event.unbind` and `event.test`.

https://apidocs.bitrix24.com/api-reference/events/index.html. All of them are for applications.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from gateway.contract import APP_TESTED, wire_name_of
from gateway.sandbox.bodies import EVENTS
from gateway.sandbox.bound_handlers import (
    OFFLINE_EVENT,
    AlreadyBound,
    HandlerBinding,
    event_named,
)
from gateway.sandbox.call_results import RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.event_data import Fields

__all__ = ["EVENT_METHODS", "connector_of"]

_TEST_EVENT: Final = wire_name_of(APP_TESTED)


def _bind(call: Call) -> bool:
    client_id = call.need_application()
    event, is_offline = _event(call), _is_offline(call)
    connector, user_id = connector_of(call), call.number("auth_type")
    if is_offline:
        call.need_admin(" Offline events binding requires administrator access rights")
        if event == OFFLINE_EVENT:
            raise RestError(400, "ERROR_ARGUMENT", "This event can not be bound offline")
        handler, user_id = "", 0
    else:
        _check_user(call, user_id, "binding")
        handler, connector = _handler(call), ""
    options = call.map("options")
    try:
        call.portal.bindings.add(
            event,
            handler=handler,
            client_id=client_id,
            user_id=user_id,
            is_offline=is_offline,
            connector=connector,
            min_timeout_s=int(options.get("MINTIMEOUT", 1)),
        )
    except AlreadyBound:
        reason = "Unable to set event handler: Handler already binded"
        raise RestError(400, "ERROR_CORE", reason) from None
    return True


def _get(call: Call) -> list[dict[str, Any]]:
    return [_row(binding) for binding in call.portal.bindings.of(call.need_application())]


def _unbind(call: Call) -> dict[str, int]:
    client_id = call.need_application()
    event, is_offline = _event(call), _is_offline(call)
    if is_offline:
        call.need_admin(" Offline events unbinding requires administrator access rights")
        connector = connector_of(call)
        bound = [
            one
            for one in call.portal.bindings.of(client_id)
            if (one.event, one.is_offline, one.connector) == (event, True, connector)
        ]
    else:
        handler, user_id = _handler(call), call.number("auth_type")
        _check_user(call, user_id, "unbinding")
        is_anybodys = call.get("auth_type") is None
        bound = [
            one
            for one in call.portal.bindings.of(client_id)
            if (one.event, one.is_offline, one.handler) == (event, False, handler)
            and (is_anybodys or one.user_id == user_id)
        ]
    call.portal.bindings.remove(bound)
    return {"count": len(bound)}


def _test(call: Call) -> int:
    """Tell the application's own handlers; what was asked comes back as `data[QUERY]`."""
    client_id = call.need_application()
    for binding in call.portal.bindings.to_tell(_TEST_EVENT):
        if binding.client_id == client_id:
            data: Fields = {"QUERY": dict(call.raw), "LANGUAGE_ID": "en"}
            call.portal.announcer.tell(binding, call.actor, data=data)
    return 1


def connector_of(call: Call) -> str:
    """The source of offline events; raises RestError if the plan has none."""
    connector = call.text("auth_connector")
    if connector and "rest_auth_connector" not in call.portal.plan.features:
        raise RestError(
            403, "WRONG_LICENSE", "Current license does not support auth_connector feature"
        )
    return connector


def _row(binding: HandlerBinding) -> dict[str, Any]:
    if binding.is_offline:
        return {"event": binding.event, "connector_id": binding.connector, "offline": 1}
    return {
        "event": binding.event,
        "handler": binding.handler,
        "auth_type": str(binding.user_id),
        "offline": 0,
    }


def _event(call: Call) -> str:
    """The event's name on the wire; of what the application has no right to, there is none."""
    event = call.text("event").upper()
    kind = EVENTS.get(event_named(event) or "")
    scope = kind.row.scope if kind is not None and kind.row is not None else ""
    if kind is None or (scope and scope not in call.caller.scope):
        raise RestError(400, "ERROR_EVENT_NOT_FOUND", "Event not found")
    return event


def _is_offline(call: Call) -> bool:
    kind = call.text("event_type").lower() or "online"
    if kind not in ("online", "offline"):
        raise RestError(400, "ERROR_ARGUMENT", "Value must be one of {online|offline}")
    return kind == "offline"


def _handler(call: Call) -> str:
    handler = call.text("handler")
    if not handler:
        raise RestError(400, "ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty")
    try:
        place = urlsplit(handler)
        host = place.hostname or ""
    except ValueError:
        raise RestError(400, "ERROR_WRONG_HANDLER_URL", "Wrong handler URL") from None
    if place.scheme not in ("http", "https"):
        raise RestError(400, "ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol")
    if host.find(".") < 1:
        raise RestError(400, "ERROR_WRONG_HANDLER_URL", "Wrong handler URL")
    return handler


def _check_user(call: Call, user_id: int, doing: str) -> None:
    if user_id not in (0, call.caller.user_id):
        call.need_admin(f" Event {doing} with AUTH_TYPE requires administrator access rights")


EVENT_METHODS: Final[dict[str, Method]] = {
    "event.bind": _bind,
    "event.get": _get,
    "event.unbind": _unbind,
    "event.test": _test,
}
