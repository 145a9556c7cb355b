"""Carries out `event.offline.get`, `.list`, `.clear` and `.error`: for applications, called by
administrators.

https://apidocs.bitrix24.com/api-reference/events/offline-events.html. Where documentation and the
portal's code differ, this does as the code: `message_id` wins over `id`, and what is cleared with
`process_id` and `clear` is the whole reservation, not only the rows that were asked for.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.php_numbers import integer_of
from gateway.sandbox.call_results import ListPage, RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.event_methods import connector_of
from gateway.sandbox.json_answers import iso
from gateway.sandbox.offline_queue import Row
from gateway.sandbox.parameters import listed
from gateway.sandbox.row_selection import UnknownField, filtered, ordered, page_of

__all__ = ["OFFLINE_METHODS"]

_PAGE: Final = 50
_MESSAGE_ID_CHARS: Final = 32
_FIELDS: Final = ("ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID")
_LIST_FIELDS: Final = (*_FIELDS, "PROCESS_ID", "ERROR")


def _get(call: Call) -> dict[str, Any]:
    client_id, connector = _whose(call)
    is_clearing = (call.text("clear") or "1") != "0"
    is_error = call.text("error") == "1"
    process_id = call.text("process_id")
    if not is_clearing and "rest_offline_extended" not in call.portal.plan.features:
        raise RestError(
            403, "WRONG_LICENSE", "Current license does not support offline extended feature"
        )
    queue = call.portal.offline
    limit = call.number("limit") or _PAGE
    waiting = [
        row
        for row in queue.rows(client_id, connector)
        if (row.process_id, row.is_error) == (process_id, is_error)
    ]
    rows = _ordered(call, _filtered(call, waiting, _FIELDS), default="TIMESTAMP_X")[:limit]
    told = [_told(row) for row in rows]
    if is_clearing:
        queue.remove(waiting if process_id else rows)
        return {"process_id": None, "events": told}
    return {"process_id": process_id or queue.reserve(rows), "events": told}


def _list(call: Call) -> ListPage:
    client_id, connector = _whose(call)
    rows = call.portal.offline.rows(client_id, connector)
    rows = _ordered(call, _filtered(call, rows, _LIST_FIELDS), default="ID")
    return page_of([_told(row) | _state(row) for row in rows], call.number("start"))


def _clear(call: Call) -> bool:
    client_id, connector = _whose(call)
    message_ids = _message_ids(call)
    ids = [number for one in listed(call.get("id")) if (number := integer_of(one))]
    call.portal.offline.clear(
        client_id,
        connector,
        _process_id(call),
        message_ids=message_ids or None,
        ids=ids if ids and not message_ids else None,
    )
    return True


def _error(call: Call) -> bool:
    client_id, connector = _whose(call)
    if not isinstance(call.get("message_id"), Mapping | list):
        raise RestError(400, "ERROR_ARGUMENT", "The argument 'MESSAGE_ID' must be an array")
    call.portal.offline.fail(client_id, connector, _process_id(call), _message_ids(call))
    return True


def _whose(call: Call) -> tuple[str, str]:
    client_id = call.need_application()
    call.need_admin()
    return client_id, connector_of(call)


def _process_id(call: Call) -> str:
    process_id = call.text("process_id")
    if not process_id:
        raise RestError(400, "ERROR_ARGUMENT", "Argument 'PROCESS_ID' is null or empty")
    return process_id


def _message_ids(call: Call) -> list[str]:
    ids = [str(one) for one in listed(call.get("message_id"))]
    if any(len(one) != _MESSAGE_ID_CHARS for one in ids):
        raise RestError(400, "ERROR_ARGUMENT", "Wrong value of 'MESSAGE_ID'")
    return ids


def _filtered(call: Call, rows: list[Row], fields: tuple[str, ...]) -> list[Row]:
    try:
        return filtered(rows, call.map("filter"), fields, _value)
    except UnknownField as key:
        raise RestError(400, "ERROR_ARGUMENT", f"Filter key {key} is not allowed") from None


def _ordered(call: Call, rows: list[Row], *, default: str) -> list[Row]:
    return ordered(rows, call.map("order") or {default: "ASC"}, _LIST_FIELDS, _value)


def _value(row: Row, field: str) -> int | str:
    if field == "ID":
        return row.id
    return str((_told(row) | _state(row))[field])


def _told(row: Row) -> dict[str, Any]:
    return {
        "ID": str(row.id),
        "TIMESTAMP_X": iso(row.queued_at),
        "EVENT_NAME": row.event,
        "EVENT_DATA": row.data,
        "EVENT_ADDITIONAL": {"user_id": row.user_id},
        "MESSAGE_ID": row.message_id,
    }


def _state(row: Row) -> dict[str, str]:
    return {"PROCESS_ID": row.process_id, "ERROR": str(int(row.is_error))}


OFFLINE_METHODS: Final[dict[str, Method]] = {
    "event.offline.get": _get,
    "event.offline.list": _list,
    "event.offline.clear": _clear,
    "event.offline.error": _error,
}
