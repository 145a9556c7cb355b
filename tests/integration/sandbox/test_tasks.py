"""`tasks.task.*`: its answers, its errors, and which events a change fires."""

from typing import Any

import pytest

from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.users import ADMINISTRATOR
from tests.integration.sandbox.conftest import Call, Handler


async def test_bodies_say_what_a_task_was_and_is_and_undefined_where_there_is_nothing(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    for event in ("onTaskAdd", "onTaskUpdate", "onTaskDelete"):
        assert (await call("event.bind", event=event, handler=handler.url)).tree["result"]
    handler.bodies.clear()

    added = await call("tasks.task.add", fields={"TITLE": "Call them", "RESPONSIBLE_ID": 7})
    task_id = int(added.tree["result"]["task"]["id"])
    await call("tasks.task.update", taskId=task_id, fields={"STATUS": 5})
    told = await call("tasks.task.delete", taskId=task_id)
    await portal.sent()

    assert told.tree["result"] == {"task": True}
    same = {"ID": str(task_id)}
    assert [(one["event"], one["data"]) for one in handler.events] == [
        (
            "ONTASKADD",
            {
                "FIELDS_BEFORE": "undefined",
                "FIELDS_AFTER": same,
                "IS_ACCESSIBLE_BEFORE": "N",
                "IS_ACCESSIBLE_AFTER": "undefined",
            },
        ),
        (
            "ONTASKUPDATE",
            {
                "FIELDS_BEFORE": same,
                "FIELDS_AFTER": same,
                "IS_ACCESSIBLE_BEFORE": "undefined",
                "IS_ACCESSIBLE_AFTER": "undefined",
            },
        ),
        (
            "ONTASKDELETE",
            {
                "FIELDS_BEFORE": same,
                "FIELDS_AFTER": "undefined",
                "IS_ACCESSIBLE_BEFORE": "undefined",
                "IS_ACCESSIBLE_AFTER": "N",
            },
        ),
    ]


async def test_task_is_told_with_what_is_selected_and_who_is_who(
    portal: LivePortal, call: Call
) -> None:
    portal.users.add(7, name="Boris", last_name="Ivanov")
    task_id = portal.tasks.add(
        {"TITLE": "Call them", "RESPONSIBLE_ID": 7, "UF_CRM_TASK": ["D_15"], "AUDITORS": ["8"]}
    )

    whole = (await call("tasks.task.get", taskId=task_id)).tree["result"]["task"]
    select = ["TITLE", "responsibleId", "UF_CRM_TASK"]
    part = (await call("tasks.task.get", taskId=task_id, select=select)).tree["result"]["task"]

    assert (whole["id"], whole["createdBy"], whole["status"], whole["auditors"]) == (
        str(task_id),
        str(ADMINISTRATOR),
        "2",
        ["8"],
    )
    assert whole["creator"]["name"] == "Anna Smirnova"
    assert "ufCrmTask" not in whole
    assert part.pop("action")["edit"] is True
    assert part.pop("responsible")["name"] == "Boris Ivanov"
    assert part == {
        "id": str(task_id),
        "title": "Call them",
        "responsibleId": "7",
        "favorite": "N",
        "ufCrmTask": ["D_15"],
        "group": [],
    }


async def test_task_that_is_hidden_or_not_there_is_an_empty_list(
    portal: LivePortal, call: Call
) -> None:
    hidden = portal.tasks.add({"TITLE": "x"})
    portal.users.hide("task", hidden)

    told = [await call("tasks.task.get", taskId=one) for one in (hidden, 999)]
    listed = await call("tasks.task.list")

    assert [(one.status, one.tree["result"]) for one in told] == [(200, []), (200, [])]
    assert listed.tree["result"] == {"tasks": []}


async def test_list_has_what_the_filter_lets_through(portal: LivePortal, call: Call) -> None:
    for number in range(4):
        portal.tasks.add({"TITLE": f"{number}", "RESPONSIBLE_ID": 7 + number % 2})

    told = await call("tasks.task.list", filter={"RESPONSIBLE_ID": 8}, select=["TITLE"])

    assert told.tree["total"] == 2
    assert [one["title"] for one in told.tree["result"]["tasks"]] == ["3", "1"]


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        ("tasks.task.get", {}, "100"),
        ("tasks.task.get", {"taskId": "x"}, "0"),
        ("tasks.task.get", {"taskId": 1, "select": "TITLE"}, "100"),
        ("tasks.task.add", {"fields": {}}, "100"),
        ("tasks.task.add", {"fields": {"TITLE": "x"}}, "ERROR_CORE"),
        ("tasks.task.update", {"taskId": 9, "fields": {"TITLE": "x"}}, "0"),
        ("tasks.task.delete", {"taskId": 9}, "1048582"),
        ("tasks.task.list", {"order": {"NOTHING": "ASC"}}, "0"),
    ],
)
async def test_refusals_have_the_codes_of_tasks(
    call: Call, method: str, parameters: dict[str, Any], error: str
) -> None:
    told = await call(method, parameters)

    assert (told.status, told.tree["error"]) == (400, error)


async def test_application_without_the_right_neither_calls_nor_binds(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await portal.install(handler.url, scope="crm,user_brief")

    called = await call("tasks.task.get", taskId=1)
    bound = await call("event.bind", event="onTaskAdd", handler=handler.url)

    assert (called.status, called.tree["error"]) == (401, "insufficient_scope")
    assert (bound.status, bound.tree["error"]) == (400, "ERROR_EVENT_NOT_FOUND")
