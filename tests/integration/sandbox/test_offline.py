"""The queue of offline events: what gets in, who has it, and how it is emptied."""

from typing import Any

import pytest

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler

UPDATE = "ONCRMTIMELINECOMMENTUPDATE"
GET = "event.offline.get"
LIST = "event.offline.list"


@pytest.fixture
async def comments(portal: LivePortal, call: Call) -> list[int]:
    """Three comments, whose updates are queued."""
    await call("event.bind", event=UPDATE, event_type="offline")
    return [portal.comments.add(entity_type="deal", entity_id=1, text="x") for _ in range(3)]


async def ids(call: Call, **parameters: Any) -> list[int]:
    """The comments that `event.offline.get` tells of."""
    told = await call(GET, parameters)
    return [row["EVENT_DATA"]["FIELDS"]["ID"] for row in told.tree["result"]["events"]]


async def test_row_says_what_happened_and_to_whom(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    portal.comments.update(comments[0])

    told = (await call(GET, clear=0)).tree["result"]

    assert len(told["process_id"]) == 32
    (row,) = told["events"]
    assert row["TIMESTAMP_X"].endswith("+03:00")
    assert len(row["MESSAGE_ID"]) == 32
    assert {key: row[key] for key in ("ID", "EVENT_NAME", "EVENT_DATA", "EVENT_ADDITIONAL")} == {
        "ID": "1",
        "EVENT_NAME": UPDATE,
        "EVENT_DATA": {"FIELDS": {"ID": comments[0]}},
        "EVENT_ADDITIONAL": {"user_id": 1},
    }


async def test_repeated_updates_are_one_row_until_somebody_has_it(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    for _ in range(3):
        portal.comments.update(comments[0])
    portal.comments.update(comments[1])

    assert await ids(call, clear=0) == comments[:2]
    assert await ids(call, clear=0) == []
    portal.comments.update(comments[0])
    assert await ids(call, clear=0) == comments[:1]


async def test_what_is_taken_with_clear_is_gone(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    for comment_id in comments:
        portal.comments.update(comment_id)

    first = (await call(GET, limit=2)).tree["result"]

    assert first["process_id"] is None
    assert len(first["events"]) == 2
    assert await ids(call) == comments[2:]
    assert await ids(call) == []


async def test_reservation_is_read_again_and_cleared_in_part(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    for comment_id in comments:
        portal.comments.update(comment_id)
    taken = (await call(GET, clear=0)).tree["result"]
    process, rows = taken["process_id"], taken["events"]

    assert await ids(call, clear=0, process_id=process) == comments
    await call("event.offline.clear", process_id=process, id=[rows[0]["ID"]])
    assert await ids(call, clear=0, process_id=process) == comments[1:]
    # As in the portal's code, unlike its documentation: message_id wins over id.
    await call(
        "event.offline.clear",
        process_id=process,
        message_id=[rows[1]["MESSAGE_ID"]],
        id=[rows[2]["ID"]],
    )
    assert await ids(call, clear=0, process_id=process) == comments[2:]
    await call("event.offline.clear", process_id=process)
    assert (await call(LIST)).tree["total"] == 0


async def test_reading_a_reservation_without_clear_0_deletes_all_of_it(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    for comment_id in comments:
        portal.comments.update(comment_id)
    process = (await call(GET, clear=0)).tree["result"]["process_id"]

    assert await ids(call, process_id=process, limit=1) == comments[:1]
    assert (await call(LIST)).tree["total"] == 0


async def test_failed_rows_are_set_aside_and_take_in_what_comes_after(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    portal.comments.update(comments[0])
    taken = (await call(GET, clear=0)).tree["result"]
    message = taken["events"][0]["MESSAGE_ID"]

    not_a_list = await call("event.offline.error", process_id=taken["process_id"], message_id="x")
    told = await call("event.offline.error", process_id=taken["process_id"], message_id=[message])
    portal.comments.update(comments[0])

    assert not_a_list.tree["error"] == "ERROR_ARGUMENT"
    assert told.tree["result"] is True
    assert await ids(call, clear=0) == []
    assert await ids(call, clear=0, error=1) == comments[:1]


async def test_list_shows_everything_and_changes_nothing(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    for comment_id in comments:
        portal.comments.update(comment_id)
    process = (await call(GET, clear=0, limit=1)).tree["result"]["process_id"]

    for _ in range(2):
        told = (await call(LIST, order={"ID": "DESC"})).tree
        assert [row["PROCESS_ID"] for row in told["result"]] == ["", "", process]
        assert told["total"] == 3
    only = (await call(LIST, filter={"=PROCESS_ID": process})).tree["result"]
    later = (await call(LIST, filter={">ID": 1, "EVENT_NAME": UPDATE})).tree["result"]
    wrong = await call(LIST, filter={"SECRET": 1})
    assert [row["ID"] for row in only] == ["1"]
    assert [row["ID"] for row in later] == ["2", "3"]
    assert wrong.tree["error"] == "ERROR_ARGUMENT"


async def test_sources_are_apart_and_an_application_does_not_hear_itself(
    portal: LivePortal, call: Call
) -> None:
    for connector in ("", "gw"):
        await call("event.bind", event=UPDATE, event_type="offline", auth_connector=connector)
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x")
    fields = {"COMMENT": "y"}
    await call("crm.timeline.comment.update", id=comment_id, fields=fields, auth_connector="gw")

    assert await ids(call, auth_connector="gw") == []
    assert await ids(call) == [comment_id]


async def test_plan_decides_about_reservations_and_sources(sandbox: Sandbox, call: Call) -> None:
    small = await sandbox.add_portal(plan="standard")
    await small.install(None)
    small.finish_installation()
    token = small.open_page().form["AUTH_ID"]
    small.bindings.add(UPDATE, client_id=sandbox.application.client_id, is_offline=True)
    comment_id = small.comments.add(entity_type="deal", entity_id=1, text="x")
    small.comments.update(comment_id)

    async def ask(method: str, **parameters: Any) -> Any:
        return await call(method, parameters, auth=token, at=small.endpoint)

    reserved = await ask(GET, clear=0)
    sourced = await ask(LIST, auth_connector="gw")
    feature = await ask("feature.get", code="rest_offline_extended")
    taken = await ask(GET)

    assert [(told.status, told.tree["error"]) for told in (reserved, sourced)] == [
        (403, "WRONG_LICENSE"),
        (403, "WRONG_LICENSE"),
    ]
    assert feature.tree["result"] == {"value": "N"}
    assert len(taken.tree["result"]["events"]) == 1


async def test_signal_comes_once_in_its_interval_and_then_is_dropped(
    portal: LivePortal, call: Call, handler: Handler, comments: list[int]
) -> None:
    options = {"minTimeout": 3600}
    await call("event.bind", event="ONOFFLINEEVENT", handler=handler.url, options=options)
    handler.bodies.clear()
    for comment_id in comments:
        portal.comments.update(comment_id)
    await portal.sent()

    (event,) = handler.events
    assert event["event"] == "ONOFFLINEEVENT"
    assert "data" not in event
    assert isinstance(event["auth"], dict)
    assert event["auth"]["refresh_token"]


async def test_queue_is_the_applications_and_its_administrators(
    portal: LivePortal, call: Call, comments: list[int]
) -> None:
    portal.comments.update(comments[0])
    user = portal.open_page(user_id=7).form["AUTH_ID"]

    told = await call(GET, auth=user)

    assert (told.status, told.tree["error"]) == (403, "ACCESS_DENIED")
    await portal.uninstall(clean=False)
    await portal.install(None)
    assert await ids(call, auth=portal.open_page().form["AUTH_ID"]) == []
