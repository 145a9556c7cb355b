"""What was declared with a method to fetch it by comes out on `comments` as it looks now."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumers.enricher.consumer import consumer_of
from consumers.enricher.fetch_rules import FetchRules
from consumers.runtime.consumer_process import run
from consumers.testing import comment_event, entity_event
from gateway.bitrix24.fetch_methods import fetch_method
from gateway.contract import EntityEvent, FetchedObject, decode_event, encode_event
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from tests.integration.enricher.conftest import COMMENTS, EVENTS, Scene
from tests.integration.enricher.objects import DENIED, Objects
from tests.support.eventually import eventually

DEAL = {"id": 77, "title": "Ninety desks", "stageId": "NEW", "assignedById": 8, "opportunity": 9.5}
TASK = {"id": "5", "title": "Call", "responsibleId": "8"}
RULES = FetchRules(
    {
        "bitrix24.crm.deal.*": fetch_method("crm.item.get"),
        "bitrix24.task.updated": fetch_method("tasks.task.get"),
        "bitrix24.crm.item.*.updated": fetch_method("crm.item.get"),
    }
)


@pytest.fixture
async def portal(scene: Scene) -> LivePortal:
    return await scene.portal()


@pytest.fixture
def objects(portal: LivePortal) -> Objects:
    objects = Objects({"crm.item.get": "id", "tasks.task.get": "taskId"})
    objects.answers["crm.item.get", "77"] = {"item": DEAL}
    objects.answers["tasks.task.get", "5"] = {"task": TASK}
    portal.faults.mood = objects.mood
    return objects


@asynccontextmanager
async def enriching(scene: Scene, settings: Settings | None = None) -> AsyncIterator[None]:
    chosen = settings or scene.settings()
    stop = asyncio.Event()
    task = asyncio.create_task(run(consumer_of(chosen, RULES), chosen, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def publish(scene: Scene, *events: Any) -> None:
    for event in events:
        await scene.redis.xadd(EVENTS, {"event": encode_event(event)})


async def out(scene: Scene) -> list[tuple[EntityEvent, bool]]:
    """The events about entities on `comments`, and whether each is old."""
    entries: Any = await scene.redis.xrange(COMMENTS)
    decoded = [(decode_event(one[b"event"]), b"kind" in one) for _id, one in entries]
    return [(event, old) for event, old in decoded if isinstance(event, EntityEvent)]


def deal(change: str = "updated", number: int = 77) -> EntityEvent:
    return entity_event(f"deal/{number}", f"bitrix24.crm.deal.{change}", member_id="acme")


def object_in(event: EntityEvent) -> FetchedObject:
    assert isinstance(event.data.object, FetchedObject)
    return event.data.object


async def test_deals_tasks_and_items_come_out_with_their_fields(
    scene: Scene, objects: Objects
) -> None:
    objects.answers["crm.item.get", "6"] = {"item": {"id": 6, "entityTypeId": 1032}}
    task = entity_event("task/5", "bitrix24.task.updated", member_id="acme")
    item = entity_event("item.1032/6", "bitrix24.crm.item.1032.updated", member_id="acme")
    await publish(scene, deal(), task, item)
    async with enriching(scene):
        await scene.until_settled()

    found = {event.subject: object_in(event) for event, _old in await out(scene)}
    assert {one.state for one in found.values()} == {"present"}
    assert found["deal/77"].fields == DEAL
    assert found["task/5"].fields == TASK
    asked = {method + one.get("entityTypeId", ""): one for method, one in objects.asked}
    assert asked["crm.item.get2"]["id"] == "77"
    assert asked["crm.item.get1032"]["id"] == "6"
    assert asked["tasks.task.get"]["select[0]"] == "ID"


async def test_one_request_has_comments_and_objects_and_asks_for_each_once(
    scene: Scene, portal: LivePortal, objects: Objects
) -> None:
    portal.faults.mood = None
    (comment_id,) = scene.written(portal, 1)
    comment = comment_event(comment_id, member_id="acme")
    events = [deal(), deal("added"), deal(), comment, deal()]
    await publish(scene, *events)
    async with enriching(scene):
        await scene.until_settled()

    (batch,) = [call for call in portal.calls if call.method == "batch"]
    assert sorted(one.method for one in batch.commands) == [
        "crm.item.get",
        "crm.timeline.comment.get",
    ]
    deals = [event.id for event, _old in await out(scene)]
    assert deals == [event.id for event in events if isinstance(event, EntityEvent)]


async def test_a_deletion_asks_nobody_and_says_what_was_last_known(
    scene: Scene, objects: Objects
) -> None:
    async with enriching(scene):
        await publish(scene, deal())
        await scene.until_settled()
        asked = len(objects.asked)
        await publish(scene, deal("deleted"), deal("deleted", 78))
        await scene.until_settled()

    (present, _), (gone, _), (unseen, _) = await out(scene)
    assert object_in(gone) == FetchedObject(
        state="deleted",
        fields={"id": 77, "stageId": "NEW", "assignedById": 8},
        content_hash=object_in(present).content_hash,
    )
    assert object_in(unseen) == FetchedObject(state="deleted")
    assert len(objects.asked) == asked
    (sealed,) = await scene.redis.keys("b24:snapshot:*")
    assert sealed == b"b24:snapshot:{0}:acme:deal/77"
    assert b"desks" not in (await scene.redis.get(sealed) or b"")


async def test_what_is_not_there_is_deleted_and_what_may_not_be_seen_comes_when_it_may(
    scene: Scene, objects: Objects
) -> None:
    objects.answers["crm.item.get", "79"] = DENIED
    objects.answers["tasks.task.get", "6"] = []
    hidden = entity_event("task/6", "bitrix24.task.updated", member_id="acme")
    async with enriching(scene):
        await publish(scene, deal(number=78), deal(number=79), hidden)
        await scene.until_out(3)
        objects.answers["crm.item.get", "79"] = {"item": DEAL | {"id": 79}}
        objects.answers["tasks.task.get", "6"] = {"task": TASK | {"id": "6"}}
        await scene.until_out(5)

        async def none_waits() -> bool:
            return not await scene.redis.exists("b24:refetch:{0}")

        await eventually(none_waits)

    found = await out(scene)
    first = {event.subject: object_in(event) for event, old in found if not old}
    assert first["deal/78"].state == "deleted"
    assert first["deal/79"] == FetchedObject(state="unavailable", reason="access_denied")
    assert first["task/6"] == FetchedObject(state="unavailable", reason="absent_or_denied")
    again = {event.subject: object_in(event).state for event, old in found if old}
    assert again == {"deal/79": "present", "task/6": "present"}


async def test_events_that_are_not_declared_keep_their_place_among_those_of_their_subject(
    scene: Scene, portal: LivePortal, objects: Objects
) -> None:
    objects.answers["tasks.task.get", "5"] = {"task": TASK}
    changes = ("added", "updated", "updated", "deleted", "added")
    events = [
        entity_event("task/5", f"bitrix24.task.{change}", member_id="acme") for change in changes
    ]
    nameless = entity_event("deal", "bitrix24.crm.deal.updated", member_id="acme")
    await publish(scene, *events, nameless)
    async with enriching(scene):
        await scene.until_settled()

    found = {event.id: event for event, _old in await out(scene)}
    tasks = [one for one in found.values() if one.subject == "task/5"]
    assert [one.id for one in tasks] == [event.id for event in events]
    assert [isinstance(one.data.object, FetchedObject) for one in tasks] == [
        change == "updated" for change in changes
    ]
    assert object_in(found[nameless.id]) == FetchedObject(state="unavailable", reason="no_id")
    assert not await scene.redis.exists("b24:refetch:{0}")


async def test_a_method_that_has_used_up_its_time_keeps_no_other_one_waiting(
    scene: Scene, portal: LivePortal, objects: Objects
) -> None:
    objects.answers["crm.item.get", "77"] = {
        "error": "OPERATION_TIME_LIMIT",
        "error_description": "Method is blocked due to operation time limit.",
    }
    async with enriching(scene):
        await publish(scene, deal())
        await eventually(lambda: bool(objects.asked))
        task = entity_event("task/5", "bitrix24.task.updated", member_id="acme")
        await publish(scene, deal(number=78), task)
        await scene.until_out(1)

    ((first, _),) = await out(scene)
    assert (first.id, object_in(first).state) == (task.id, "present")
