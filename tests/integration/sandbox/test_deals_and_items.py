"""`crm.deal.*` and `crm.item.*`: their answers, their errors, and which events a change fires."""

from typing import Any

import pytest

from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler

SMART_PROCESS = 1220


async def bind(call: Call, handler: Handler, name: str) -> None:
    for what in ("Add", "Update", "Delete"):
        told = await call("event.bind", event=f"{name}{what}", handler=handler.url)
        assert told.tree["result"] is True
    handler.bodies.clear()


def said(handler: Handler) -> list[tuple[Any, Any]]:
    """What the handler was told: names without what all have in common, and data."""
    return [(str(one["event"]).removeprefix("ONCRM"), one["data"]) for one in handler.events]


async def test_deal_is_told_in_text_and_its_custom_fields_stand_behind(
    portal: LivePortal, call: Call
) -> None:
    deal_id = portal.deals.add(
        {"TITLE": "Roof", "OPPORTUNITY": 1000, "COMPANY_ID": 9, "UF_CRM_1721244482250": "red"}
    )

    told = (await call("crm.deal.get", id=deal_id)).tree["result"]

    assert told["DATE_CREATE"].endswith("+03:00")
    assert {
        name: told[name] for name in ("ID", "TITLE", "OPPORTUNITY", "COMPANY_ID", "LEAD_ID")
    } == {
        "ID": str(deal_id),
        "TITLE": "Roof",
        "OPPORTUNITY": "1000.00",
        "COMPANY_ID": "9",
        "LEAD_ID": None,
    }
    assert list(told)[-1] == "UF_CRM_1721244482250"


async def test_universal_methods_tell_the_same_deal_in_numbers_and_in_camel_case(
    portal: LivePortal, call: Call
) -> None:
    deal_id = portal.deals.add(
        {"OPPORTUNITY": "999.9", "STAGE_ID": "WON", "UF_CRM_2_1639669411830": "red"}
    )

    item = (await call("crm.item.get", entityTypeId=2, id=deal_id)).tree["result"]["item"]
    kept = await call("crm.item.get", entityTypeId=2, id=deal_id, useOriginalUfNames="Y")

    assert (item["id"], item["opportunity"], item["companyId"], item["entityTypeId"]) == (
        deal_id,
        999.9,
        0,
        2,
    )
    assert (item["stageId"], item["stageSemanticId"], item["closed"]) == ("WON", "S", "Y")
    assert item["createdBy"] == item["updatedBy"] == 1
    assert item["ufCrm2_1639669411830"] == "red"
    assert kept.tree["result"]["item"]["UF_CRM_2_1639669411830"] == "red"


async def test_every_change_of_a_deal_is_told_whichever_method_made_it(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await bind(call, handler, "onCrmDeal")

    deal_id = (await call("crm.deal.add", fields={"TITLE": "Roof"})).tree["result"]
    assert (await call("crm.deal.update", id=deal_id, fields={})).tree["result"] is True
    moved = await call(
        "crm.item.update", entityTypeId=2, id=deal_id, fields={"stageId": "EXECUTING"}
    )
    assert (await call("crm.deal.delete", id=deal_id)).tree["result"] is True
    await portal.sent()

    assert moved.tree["result"]["item"]["stageId"] == "EXECUTING"
    data = {"FIELDS": {"ID": str(deal_id)}}
    assert said(handler) == [
        ("DEALADD", data),
        ("DEALUPDATE", data),
        ("DEALUPDATE", data),
        ("DEALDELETE", data),
    ]


async def test_items_of_a_smart_process_are_told_with_their_type(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    items = portal.content.smart_process(SMART_PROCESS)
    await bind(call, handler, "onCrmDynamicItem")
    asked = {"entityTypeId": SMART_PROCESS}

    added = await call("crm.item.add", asked, fields={"title": "Crane", "ufCrm5_17": "x"})
    item = added.tree["result"]["item"]
    items.update(item["id"], {"OPPORTUNITY": 5})
    assert (await call("crm.item.delete", asked, id=item["id"])).tree["result"] == []
    await portal.sent()

    assert (item["title"], item["ufCrm5_17"], item["entityTypeId"]) == ("Crane", "x", 1220)
    data = {"FIELDS": {"ID": "1", "ENTITY_TYPE_ID": "1220"}}
    assert said(handler) == [
        ("DYNAMICITEMADD", data),
        ("DYNAMICITEMUPDATE", data),
        ("DYNAMICITEMDELETE", data),
    ]


async def test_lists_are_filtered_ordered_and_paged(portal: LivePortal, call: Call) -> None:
    for number in range(60):
        portal.deals.add({"TITLE": f"Deal {number}", "OPPORTUNITY": number})
    portal.users.hide("deal", 60)

    asked = {"filter": {">=OPPORTUNITY": 5, "!TITLE": "Deal 58"}, "order": {"OPPORTUNITY": "DESC"}}
    deals = (await call("crm.deal.list", asked, select=["ID", "TITLE"])).tree
    items = (
        await call(
            "crm.item.list",
            entityTypeId=2,
            filter={"<opportunity": 52, "@stageId": ["NEW"]},
            select=["title"],
            start=50,
        )
    ).tree

    assert (deals["total"], deals["next"]) == (53, 50)
    assert deals["result"][0] == {"ID": "58", "TITLE": "Deal 57"}
    assert (items["total"], items.get("next")) == (52, None)
    assert items["result"] == {
        "items": [{"id": 51, "title": "Deal 50"}, {"id": 52, "title": "Deal 51"}]
    }


@pytest.mark.parametrize(
    ("method", "parameters", "error", "description"),
    [
        ("crm.deal.get", {"id": 9}, "", "Not found"),
        ("crm.deal.get", {"id": "x"}, "", "ID is not defined or invalid."),
        ("crm.deal.update", {"id": 1, "fields": {}}, "", "Access denied."),
        ("crm.deal.add", {"fields": "x"}, "", "Parameter 'fields' must be array."),
        ("crm.item.get", {"entityTypeId": 9999, "id": 1}, "NOT_FOUND", "SPA not found"),
        ("crm.item.get", {"entityTypeId": 2, "id": 9}, "NOT_FOUND", "Item not found"),
        ("crm.item.delete", {"entityTypeId": 2, "id": 1}, "ACCESS_DENIED", "Access denied"),
        (
            "crm.item.list",
            {"entityTypeId": 2, "filter": {">nothing": 1}},
            "INVALID_ARG_VALUE",
            "Invalid filter: field '>NOTHING' is not allowed in filter",
        ),
    ],
)
async def test_refusals_have_the_codes_of_their_methods(
    portal: LivePortal,
    call: Call,
    method: str,
    parameters: dict[str, Any],
    error: str,
    description: str,
) -> None:
    portal.users.hide("deal", portal.deals.add({}))

    told = await call(method, parameters)

    assert (told.status, told.tree) == (400, {"error": error, "error_description": description})


async def test_comments_of_a_deal_go_with_it_and_are_told_by_nobody(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    deal_id = portal.deals.add({})
    comment_id = portal.comments.add(entity_type="deal", entity_id=deal_id, text="x")
    await bind(call, handler, "onCrmTimelineComment")

    portal.deals.delete(deal_id)
    await portal.sent()

    assert handler.bodies == []
    told = await call("crm.timeline.comment.get", id=comment_id)
    assert told.tree["error_description"] == "Not found."


async def test_changes_of_a_deal_wait_in_the_queue_of_offline_events(
    portal: LivePortal, call: Call
) -> None:
    await call("event.bind", event="onCrmDealUpdate", event_type="offline")
    deal_id = portal.deals.add({})
    for stage in ("PREPARATION", "WON"):
        portal.deals.update(deal_id, {"STAGE_ID": stage})

    (row,) = (await call("event.offline.get")).tree["result"]["events"]

    assert (row["EVENT_NAME"], row["EVENT_DATA"]) == (
        "ONCRMDEALUPDATE",
        {"FIELDS": {"ID": deal_id}},
    )
