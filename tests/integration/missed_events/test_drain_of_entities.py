"""Draining a portal's queue of what happens to deals, tasks and items of smart processes."""

import msgspec
import pytest

from gateway.contract import EntityEvent
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import EventSettings
from tests.integration.missed_events.draining import add, until_drained, waiting
from tests.integration.missed_events.scene import Scene
from tests.support.eventually import eventually

NAMES = (
    *("onCrmTimelineComment*", "onCrmDeal*", "onTask*", "onCrmDynamicItem*", "onCrmLead*"),
    *("onCrmCompany*", "onCrmInvoice*"),
)


@pytest.fixture
async def portal(scene: Scene) -> LivePortal:
    """A portal that has more than fifty events bound, and as many queued."""
    scene.settings = msgspec.structs.replace(
        scene.settings, events=tuple(EventSettings(name=name) for name in NAMES)
    )
    one = await scene.add_portal()
    await scene.install(one)
    return one


async def test_what_nobody_received_of_entities_is_published_once_in_the_order_of_each(
    scene: Scene, portal: LivePortal
) -> None:
    deal = portal.deals.add({"TITLE": "A machine"})
    portal.deals.update(deal, {"TITLE": "Two machines"})
    task = portal.tasks.add({"TITLE": "Call them"})
    item = portal.content.smart_process(1036).add({"TITLE": "An item"})
    (comment,) = add(portal)
    portal.deals.delete(deal)
    await portal.sent()
    assert waiting(scene, portal) == 6

    await until_drained(scene, portal)

    assert sorted(await scene.told_of_entities()) == sorted(
        [
            (f"deal/{deal}", "added", True),
            (f"deal/{deal}", "updated", True),
            (f"deal/{deal}", "deleted", True),
            (f"task/{task}", "added", True),
            (f"item.1036/{item}", "added", True),
        ]
    )
    of_deal = [kind for subject, kind, _ in await scene.told_of_entities() if subject[0] == "d"]
    assert of_deal == ["added", "updated", "deleted"]
    assert await scene.told() == [(comment, "added", True)]
    assert [(gap.events, gap.way) for gap in await scene.gaps(portal)] == [(6, "queue")]


async def test_a_recovered_event_has_the_fields_that_a_delivered_one_has(
    scene: Scene, portal: LivePortal
) -> None:
    await scene.receive()
    task = portal.tasks.add({"TITLE": "Call them"})
    await portal.sent()
    portal.faults.loses_events = True
    portal.tasks.update(task, {"TITLE": "Write to them"})

    await until_drained(scene, portal)

    delivered, recovered = await scene.all_events()
    assert isinstance(delivered, EntityEvent)
    assert isinstance(recovered, EntityEvent)
    assert (delivered.recovered, recovered.recovered) == (msgspec.UNSET, True)
    assert (recovered.subject, recovered.source) == (delivered.subject, delivered.source)
    assert delivered.data.fields["FIELDS_AFTER"] == {"ID": str(task)}
    assert recovered.data.fields == {
        "FIELDS_BEFORE": {"ID": str(task)},
        "FIELDS_AFTER": {"ID": str(task)},
        "IS_ACCESSIBLE_BEFORE": "undefined",
        "IS_ACCESSIBLE_AFTER": "undefined",
    }


async def test_what_was_received_of_entities_is_cleared_and_not_doubled(
    scene: Scene, portal: LivePortal
) -> None:
    await scene.receive()
    first, second = portal.deals.add({"TITLE": "one"}), portal.deals.add({"TITLE": "two"})
    portal.deals.update(first, {"TITLE": "one again"})
    await portal.sent()
    portal.faults.loses_events = True
    portal.deals.update(second, {"TITLE": "two again"})

    await until_drained(scene, portal)

    assert sorted(await scene.told_of_entities()) == sorted(
        [
            (f"deal/{first}", "added", False),
            (f"deal/{second}", "added", False),
            (f"deal/{first}", "updated", False),
            (f"deal/{second}", "updated", True),
        ]
    )
    (gap,) = await scene.gaps(portal)
    assert gap.events == 1


async def test_a_look_at_an_empty_queue_costs_the_same_however_many_events_are_taken(
    scene: Scene, portal: LivePortal
) -> None:
    bound = portal.bindings.of(scene.sandbox.application.client_id)
    assert sum(one.is_offline for one in bound) >= 50
    add(portal)
    await until_drained(scene, portal)
    portal.calls.clear()

    assert await scene.once()

    assert [call.method for call in portal.calls if "offline" in call.method] == [
        "event.offline.list",  # what is reserved, by whomever
        "event.offline.list",
        "event.offline.get",  # a new process sees whether it is let
    ]


async def test_rows_of_events_that_are_not_taken_are_left_to_whom_they_belong(
    scene: Scene, portal: LivePortal
) -> None:
    queue_of = (scene.sandbox.application.client_id, scene.settings.bitrix24.auth_connector)
    portal.offline.put(*queue_of, "ONCRMCONTACTADD", {"FIELDS": {"ID": 1}}, 1)
    for number in range(60):  # more than a page, before ours
        portal.offline.put(*queue_of, "ONCRMCONTACTUPDATE", {"FIELDS": {"ID": number}}, 1)
    deal = portal.deals.add({"TITLE": "A machine"})

    async def is_drained() -> bool:
        await scene.once()
        return waiting(scene, portal) == 61

    await eventually(is_drained)

    assert await scene.told_of_entities() == [(f"deal/{deal}", "added", True)]
    rows = portal.offline.rows(*queue_of)
    assert {(row.process_id, row.is_error) for row in rows} == {("", False)}
