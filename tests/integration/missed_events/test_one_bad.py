"""What a portal cannot send keeps only itself: a list of comments, a row of its queue."""

from typing import Any

import pytest
from aiohttp import web

from gateway.bitrix24.connecting import connect
from gateway.bitrix24.errors import MaybeDone
from gateway.missed_events.comment_comparison import Entity
from gateway.missed_events.comment_listing import list_comments
from gateway.missed_events.portal_queue import PortalQueue
from gateway.missed_events.queue_rows import QueueRows
from gateway.sandbox.faults import Mood, error_page
from gateway.sandbox.live_portal import LivePortal
from tests.integration.missed_events.scene import Scene


@pytest.fixture
async def portal(scene: Scene) -> LivePortal:
    one = await scene.add_portal()
    await scene.install(one)
    return one


def fails_with(text: str) -> Mood:
    """A portal that ends every request with an error page that has this in it."""

    async def mood(_request: web.Request, parameters: Any) -> web.StreamResponse | None:
        return error_page(500) if text in f"{parameters}&" else None

    return mood


def batches(portal: LivePortal) -> list[int]:
    return [len(call.parameters["cmd"]) for call in portal.calls if call.method == "batch"]


async def test_one_list_that_fails_costs_no_other_one(scene: Scene, portal: LivePortal) -> None:
    for deal in range(1, 51):
        portal.comments.add(entity_type="deal", entity_id=deal, text="hello")
    portal.faults.mood = fails_with("ENTITY_ID%5D=13&")
    entities = [Entity("deal", deal) for deal in range(1, 51)]
    async with connect(scene.settings) as bitrix24:
        client = bitrix24.portal(portal.member_id)
        found = await list_comments(client, entities, max_calls=30)
        assert len(found.listings) == 49
        assert found.unreadable == [Entity("deal", 13)]
        assert len(batches(portal)) <= 4 + 8 + 7

        portal.calls.clear()
        again = await list_comments(client, entities, max_calls=30, apart=found.unreadable)
        assert (again.unreadable, batches(portal)) == (found.unreadable, [49, 1])

        portal.faults.page = 500
        with pytest.raises(MaybeDone):
            await list_comments(client, entities, max_calls=30)


async def test_a_row_that_the_portal_cannot_send_keeps_only_what_comes_after_it(
    scene: Scene, portal: LivePortal
) -> None:
    for number in range(40):
        portal.comments.add(entity_type="deal", entity_id=number + 1, text="hello")

    async def mood(_request: web.Request, parameters: Any) -> web.StreamResponse | None:
        return error_page(500) if int(parameters.get("limit", 0)) > 10 else None

    portal.faults.mood = mood
    async with connect(scene.settings) as bitrix24:
        client = bitrix24.application(portal.member_id)
        rows = QueueRows(scene.settings.subscription)
        queue = PortalQueue(client, rows, connector=scene.settings.bitrix24.auth_connector)
        with pytest.raises(MaybeDone):
            await queue.reserve("ONCRMTIMELINECOMMENTADD", until=2e9)
        with pytest.raises(MaybeDone):
            await queue.reserve("ONCRMTIMELINECOMMENTADD", until=2e9)
        reservation = await queue.reserve("ONCRMTIMELINECOMMENTADD", until=2e9)
        assert (len(reservation.rows), reservation.has_more) == (10, True)
        assert len((await queue.read(reservation.process_id)).rows) == 10
