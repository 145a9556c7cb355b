"""Carries out `tasks.task.*`.

https://apidocs.bitrix24.com/api-reference/tasks/index.html. Names are written `responsibleId` and
told `RESPONSIBLE_ID`; values are text. A task that is not there, or may not be seen, is answered
with an empty list.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.sandbox.call_results import ListPage, RestError
from gateway.sandbox.calls import Call, Method
from gateway.sandbox.comments import TimelineEntity
from gateway.sandbox.entities import PortalEntity
from gateway.sandbox.field_names import camel_case, capitals
from gateway.sandbox.parameters import listed
from gateway.sandbox.refusal import Refusal
from gateway.sandbox.row_selection import UnknownField, filtered, ordered, page_of
from gateway.sandbox.task_fields import CUSTOM_TASK_FIELDS, TASK_FIELDS, task_value

__all__ = ["TASK_METHODS"]

_NO_ACCESS_TO_DELETE: Final = "1048582"
_INTERNAL: Final = " (internal error)"


def _get(call: Call) -> dict[str, Any] | list[Any]:
    select = call.get("select")
    if select is not None and not isinstance(select, Mapping | list):
        raise _wrong(
            "100",
            f"Invalid value {{{select}}} to match with parameter {{select}}."
            f" Should be value of type array.{_INTERNAL}",
        )
    task = _visible(call)
    return [] if task is None else {"task": _told(call, task, listed(select))}


def _list(call: Call) -> ListPage:
    tasks = [one for one in call.portal.tasks.all() if _may_see(call, one.id)]
    order = {capitals(name): way for name, way in call.map("order").items()} or {"ID": "DESC"}
    if not set(order) <= set(TASK_FIELDS):
        raise _wrong("0", f"Invalid sorting key{_INTERNAL}")
    try:
        tasks = filtered(tasks, call.map("filter"), TASK_FIELDS, task_value)
    except UnknownField:
        tasks = []
    tasks = ordered(tasks, order, TASK_FIELDS, task_value)
    select = listed(call.get("select"))
    return page_of([_told(call, one, select) for one in tasks], call.number("start"), name="tasks")


def _add(call: Call) -> dict[str, Any]:
    fields = _fields(call)
    if not fields.get("TITLE"):
        raise _wrong("ERROR_CORE", "Task title is not specified<br>")
    if not fields.get("RESPONSIBLE_ID"):
        raise _wrong("ERROR_CORE", "Responsible person is not specified<br>")
    task_id = call.portal.tasks.add(fields, actor=call.actor)
    return {"task": _told(call, call.portal.tasks.find(task_id), [])}


def _update(call: Call) -> dict[str, Any]:
    task, fields = _visible(call), _fields(call)
    if task is None:
        raise _wrong("0", f"Action on the task is not allowed{_INTERNAL}")
    call.portal.tasks.update(task.id, fields, actor=call.actor)
    return {"task": _told(call, task, [])}


def _delete(call: Call) -> dict[str, bool]:
    task = _visible(call)
    if task is None:
        raise _wrong(_NO_ACCESS_TO_DELETE, "No access to delete the task")
    call.portal.tasks.delete(task.id, actor=call.actor)
    return {"task": True}


def _visible(call: Call) -> PortalEntity | None:
    """The task that is meant, unless it is hidden or not there; raises RestError."""
    if call.get("taskId") is None:
        reason = f"CTaskItem All parameters in the constructor must have real class type{_INTERNAL}"
        raise _wrong("100", reason)
    task_id = call.number("taskId")
    if not task_id:
        raise _wrong("0", "wrong task id")
    try:
        task = call.portal.tasks.find(task_id)
    except Refusal:
        return None
    return task if _may_see(call, task_id) else None


def _may_see(call: Call, task_id: int) -> bool:
    return call.portal.users.may_read(call.caller.user_id, TimelineEntity("task", task_id))


def _fields(call: Call) -> dict[str, Any]:
    told = call.get("fields")
    if not isinstance(told, Mapping) or not told:
        raise _wrong("100", f"Could not find value for parameter {{fields}}{_INTERNAL}")
    named = {capitals(str(name)): value for name, value in told.items()}
    return {name: value for name, value in named.items() if name in TASK_FIELDS}


def _told(call: Call, task: PortalEntity, select: list[Any]) -> dict[str, Any]:
    """A task as answers have it: what is selected, and always its id and who is who in it."""
    wanted = {capitals(str(name)) for name in select}
    if not wanted or "*" in wanted:
        wanted |= set(TASK_FIELDS) - set(CUSTOM_TASK_FIELDS)
    wanted |= {"ID", "FAVORITE"}
    told = {camel_case(name): task_value(task, name) for name in TASK_FIELDS if name in wanted}
    told["group"] = []
    for role, name in (("creator", "CREATED_BY"), ("responsible", "RESPONSIBLE_ID")):
        if name in wanted:
            told[role] = _person(call, str(task_value(task, name)))
    told["action"] = {"edit": True, "remove": True, "complete": True}
    return told


def _person(call: Call, user_id: str) -> dict[str, str]:
    return {
        "id": user_id,
        "name": call.portal.users.name_of(int(user_id)) if user_id.isdigit() else "",
        "link": f"/company/personal/user/{user_id}/",
        "icon": "/bitrix/images/tasks/default_avatar.png",
        "workPosition": "",
    }


def _wrong(code: str, description: str) -> RestError:
    return RestError(400, code, description)


TASK_METHODS: Final[dict[str, Method]] = {
    "tasks.task.get": _get,
    "tasks.task.list": _list,
    "tasks.task.add": _add,
    "tasks.task.update": _update,
    "tasks.task.delete": _delete,
}
