"""Every event that Bitrix24 documents: bound by its right, unbound, and told to webhooks."""

from typing import Any
from urllib.parse import urlencode

from gateway.contract.catalogue import CATALOGUE
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler

NAMES = [row.documented_name for row in CATALOGUE]
SCOPES = sorted({row.scope for row in CATALOGUE if row.scope})


async def of_all(call: Call, method: str, **parameters: str) -> list[Any]:
    """What a method answers about each event; fifty go in one request."""
    answers: list[Any] = []
    for start in range(0, len(NAMES), 50):
        commands = [
            f"{method}?{urlencode(parameters | {'event': name})}"
            for name in NAMES[start : start + 50]
        ]
        told = (await call("batch", cmd=commands)).tree["result"]
        answers += _whole(told["result"], told["result_error"], len(commands))
    return answers


def _whole(results: Any, errors: Any, count: int) -> list[Any]:
    """One of each command, in order: PHP writes a list only of what has no holes."""
    by_key = [dict(enumerate(one)) if isinstance(one, list) else one for one in (results, errors)]
    found = {int(key): value for one in by_key for key, value in one.items()}
    return [found[number] for number in range(count)]


async def test_each_is_bound_seen_and_unbound(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await portal.install(handler.url, scope=",".join(SCOPES))
    url = f"{handler.url}?other"

    assert await of_all(call, "event.bind", handler=url) == [True] * len(NAMES)

    bound = [one for one in (await call("event.get")).tree["result"] if one["handler"] == url]
    assert [one["event"] for one in bound] == [name.upper() for name in NAMES]
    assert await of_all(call, "event.unbind", handler=url) == [{"count": 1}] * len(NAMES)


async def test_those_of_a_right_that_the_application_has_not_do_not_exist_for_it(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await portal.install(handler.url, scope="crm")

    told = await of_all(call, "event.bind", handler=f"{handler.url}?other")

    codes = [None if one is True else one["error"] for one in told]
    wanted = [None if row.scope in ("", "crm") else "ERROR_EVENT_NOT_FOUND" for row in CATALOGUE]
    assert codes == wanted


async def test_webhooks_are_told_of_deals_tasks_and_items_too(
    portal: LivePortal, handler: Handler
) -> None:
    events = ["deal.updated", "task.added", "item.deleted"]
    token = portal.add_outgoing_webhook(handler.url, events)
    handler.bodies.clear()

    deal_id = portal.deals.add({})
    portal.deals.update(deal_id, {"STAGE_ID": "WON"})
    task_id = portal.tasks.add({"TITLE": "x", "RESPONSIBLE_ID": 1})
    crane_id = portal.content.smart_process(1220).add({})
    portal.content.smart_process(1220).delete(crane_id)
    await portal.sent()

    auth: list[Any] = [one["auth"] for one in handler.events]
    assert {(one["application_token"], one["member_id"]) for one in auth} == {
        (token, portal.member_id)
    }
    assert not any("access_token" in one for one in auth)
    said: list[Any] = [one["data"] for one in handler.events]
    assert said[0] == {"FIELDS": {"ID": str(deal_id)}}
    assert said[1]["FIELDS_AFTER"] == {"ID": str(task_id)}
    assert said[2] == {"FIELDS": {"ID": str(crane_id), "ENTITY_TYPE_ID": "1220"}}


async def test_a_smart_process_has_names_of_its_own_for_its_events(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    for name in ("onCrmDynamicItemUpdate_1220", "onCrmDynamicItemUpdate_1221"):
        assert (await call("event.bind", event=name, handler=handler.url)).tree["result"] is True
    queue = "ONCRMDYNAMICITEMUPDATE_1220"
    assert (await call("event.bind", event=queue, event_type="offline")).tree["result"] is True
    of_deals = await call("event.bind", event="onCrmDealUpdate_2", handler=handler.url)
    assert of_deals.tree["error"] == "ERROR_EVENT_NOT_FOUND"
    handler.bodies.clear()

    crane_id = portal.content.smart_process(1220).add({})
    portal.content.smart_process(1220).update(crane_id, {"TITLE": "Crane"})
    await portal.sent()

    data = {"FIELDS": {"ID": str(crane_id), "ENTITY_TYPE_ID": "1220"}}
    assert [(one["event"], one["data"]) for one in handler.events] == [(queue, data)]
    rows = (await call("event.offline.list")).tree["result"]
    assert [row["EVENT_NAME"] for row in rows] == [queue]
