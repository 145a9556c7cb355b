"""Deals, smart processes and tasks of the sandbox in the eyes of b24pysdk."""

from typing import Any

import pytest
from b24pysdk import BitrixToken
from b24pysdk.client import BaseClient
from b24pysdk.errors import BitrixAPIBadRequest, BitrixAPINotFound

from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.official_sdk import answered, app, client, portal, sandbox, token

__all__ = ["app", "client", "portal", "sandbox", "token"]


async def test_deals_are_written_read_listed_and_deleted(
    client: BaseClient, portal: LivePortal
) -> None:
    deal = client.crm.deal
    deal_id = await answered(lambda: deal.add({"TITLE": "Roof", "OPPORTUNITY": 10}).result)
    assert await answered(lambda: deal.update(deal_id, {"STAGE_ID": "WON"}).result) is True
    got = await answered(lambda: deal.get(deal_id).result)
    assert (got["ID"], got["STAGE_ID"], got["OPPORTUNITY"]) == (str(deal_id), "WON", "10.00")

    for _ in range(60):
        portal.deals.add({"STAGE_ID": "NEW"})
    page = await answered(lambda: deal.list(filter={"STAGE_ID": "NEW"}).response)
    everything = await answered(lambda: deal.list(select=["ID"]).as_list().result)
    assert (len(page.result), page.total, page.next) == (50, 60, 50)
    assert len(everything) == 61

    assert await answered(lambda: deal.delete(deal_id).result) is True
    with pytest.raises(BitrixAPIBadRequest) as gone:
        await answered(lambda: deal.get(deal_id).result)
    assert (gone.value.error, gone.value.error_description) == ("", "Not found")


async def test_items_of_a_smart_process_are_written_read_listed_and_deleted(
    client: BaseClient, portal: LivePortal
) -> None:
    portal.content.smart_process(1220)
    item = client.crm.item
    added = await answered(lambda: item.add(1220, {"title": "Crane"}).result)
    item_id = added["item"]["id"]
    updated = await answered(lambda: item.update(1220, item_id, {"opportunity": 5}).result)
    got = await answered(lambda: item.get(1220, item_id).result)
    assert got["item"] == updated["item"]
    assert (got["item"]["title"], got["item"]["opportunity"]) == ("Crane", 5)

    listed = await answered(lambda: item.list(1220, filter={"title": "Crane"}).result)
    assert [one["id"] for one in listed["items"]] == [item_id]
    assert await answered(lambda: item.delete(1220, item_id).result) == []
    with pytest.raises(BitrixAPINotFound) as gone:
        await answered(lambda: item.get(1220, item_id).result)
    assert gone.value.error == "NOT_FOUND"


async def test_tasks_are_written_read_listed_and_deleted(
    client: BaseClient, token: BitrixToken
) -> None:
    def get(task_id: int) -> Any:
        """Read one; the SDK's own method names the id as only the third version of REST does."""
        told = token.call_method("tasks.task.get", {"taskId": task_id, "select": ["STATUS"]})
        return told["result"]

    task = client.tasks.task
    added = await answered(lambda: task.add({"TITLE": "Call", "RESPONSIBLE_ID": 1}).result)
    task_id = int(added["task"]["id"])
    updated = await answered(lambda: task.update(task_id, {"STATUS": 5}).result)
    got = await answered(lambda: get(task_id))
    assert updated["task"]["status"] == got["task"]["status"] == "5"

    listed = await answered(lambda: task.list(select=["TITLE"]).result)
    assert [one["title"] for one in listed["tasks"]] == ["Call"]
    assert await answered(lambda: task.delete(task_id).result) == {"task": True}
    assert await answered(lambda: get(task_id)) == []
