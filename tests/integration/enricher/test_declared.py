"""What the settings name is fetched from a portal that has it: deals, items and tasks."""

from typing import Any

import pytest

from consumers.testing import comment_event, entity_event
from gateway.contract import EntityEvent, Event, FetchedObject, decode_event
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import EventSettings, Settings
from tests.integration.enricher.conftest import COMMENTS, Scene

PROCESS = 1032
DECLARED = (
    EventSettings(name="onCrmDeal*", fetch="crm.item.get"),
    EventSettings(name="onCrmDealMoveToCategory", fetch="crm.deal.get"),
    EventSettings(name="onCrmDynamicItem*", fetch="crm.item.get"),
    EventSettings(name="onTask*", fetch="tasks.task.get"),
    EventSettings(name="onCrmTimelineComment*"),
)


@pytest.fixture
async def portal(scene: Scene) -> LivePortal:
    portal = await scene.portal()
    portal.deals.add(
        {"TITLE": "Ninety desks", "STAGE_ID": "NEW", "OPPORTUNITY": 5000}, entity_id=77
    )
    portal.content.smart_process(PROCESS).add({"TITLE": "A lease"}, entity_id=6)
    portal.tasks.add({"TITLE": "Call them", "RESPONSIBLE_ID": "8"}, entity_id=5)
    return portal


@pytest.fixture
def settings(scene: Scene, portal: LivePortal) -> Settings:
    return scene.settings(events=DECLARED)


def about(subject: str, event_type: str) -> EntityEvent:
    return entity_event(subject, f"bitrix24.{event_type}", member_id="acme")


async def out(scene: Scene) -> dict[str, Event]:
    entries: Any = await scene.redis.xrange(COMMENTS)
    decoded = [decode_event(fields[b"event"]) for _id, fields in entries]
    return {event.id: event for event in decoded}


def object_of(event: Event) -> FetchedObject | None:
    assert isinstance(event, EntityEvent)
    return event.data.object if isinstance(event.data.object, FetchedObject) else None


async def test_each_kind_is_fetched_by_its_method_in_one_request(
    scene: Scene, portal: LivePortal, settings: Settings
) -> None:
    (comment_id,) = scene.written(portal, 1)
    events: list[Event] = [
        about("deal/77", "crm.deal.updated"),
        about("deal/77", "crm.deal.moved"),
        about(f"item.{PROCESS}/6", f"crm.item.{PROCESS}.updated"),
        about("task/5", "task.updated"),
        about("deal_field/3", "crm.deal.field.added"),
        comment_event(comment_id, member_id="acme"),
    ]
    await scene.publish(events)
    async with scene.enriching(settings):
        await scene.until_settled()

    (batch,) = [call for call in portal.calls if call.method == "batch"]
    assert sorted(one.method for one in batch.commands) == [
        "crm.deal.get",
        "crm.item.get",
        "crm.item.get",
        "crm.timeline.comment.get",
        "tasks.task.get",
    ]
    found = await out(scene)
    told = [object_of(found[event.id]) for event in events[:5]]
    deal, moved, item, task = (one for one in told if one is not None)
    assert {one.state for one in (deal, moved, item, task)} == {"present"}
    assert (deal.fields["id"], deal.fields["title"]) == (77, "Ninety desks")
    assert (moved.fields["ID"], moved.fields["STAGE_ID"]) == ("77", "NEW")
    assert (item.fields["id"], item.fields["entityTypeId"]) == (6, PROCESS)
    assert (task.fields["id"], task.fields["responsibleId"]) == ("5", "8")
    assert told[4] is None, "its method gives no fields of deals"


async def test_what_was_deleted_what_nobody_may_see_and_an_unknown_process_are_told_apart(
    scene: Scene, portal: LivePortal, settings: Settings
) -> None:
    portal.deals.add({"TITLE": "Secret"}, entity_id=78)
    portal.users.hide("deal", 78)
    portal.content.smart_process(PROCESS).delete(6)
    events = [
        about("deal/78", "crm.deal.updated"),
        about("deal/79", "crm.deal.updated"),
        about(f"item.{PROCESS}/6", f"crm.item.{PROCESS}.updated"),
        about("item.2000/6", "crm.item.2000.updated"),
        about("task/9", "task.updated"),
        about("deal/77", "crm.deal.deleted"),
    ]
    await scene.publish(events)
    async with scene.enriching(settings):
        await scene.until_out(len(events))

    found = await out(scene)
    told = [object_of(found[event.id]) for event in events]
    assert [(one.state, one.reason) for one in told if one] == [
        ("unavailable", "access_denied"),
        ("deleted", None),
        ("deleted", None),
        ("unavailable", "refused"),
        ("unavailable", "absent_or_denied"),
        ("deleted", None),
    ]
