"""One comment that a portal cannot read aloud costs no other one its text."""

from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from consumers.enricher.bad_object_search import pieces_of
from consumers.enricher.portal_requests import PortalRequests
from consumers.enricher.reach import Wait
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.connecting import connect
from gateway.contract import Comment
from gateway.sandbox.faults import Mood, error_page
from gateway.sandbox.live_portal import LivePortal
from tests.integration.enricher.conftest import Scene
from tests.integration.enricher.test_limits import events_of, is_gone
from tests.support.eventually import eventually


def comments(ids: Iterable[int]) -> list[Wanted]:
    return [Wanted.comment(one) for one in ids]


def fails_with(bad: Iterable[int]) -> Mood:
    """A portal that ends every batch with an error page that has one of these comments."""
    commands = {f"crm.timeline.comment.get?id={one}" for one in bad}

    async def mood(_request: web.Request, parameters: Any) -> web.StreamResponse | None:
        asked = parameters.get("cmd")
        wanted = asked.values() if isinstance(asked, dict) else asked or ()
        return error_page(500) if commands & set(map(str, wanted)) else None

    return mood


def sizes(portal: LivePortal) -> list[int]:
    """How many comments each request asked for; 0 for what asks for none."""
    return [len(members(call.parameters.get("cmd"))) for call in portal.calls]


def members(asked: Any) -> list[Any]:
    return list(asked.values() if isinstance(asked, dict) else asked or ())


async def test_fifty_comments_of_which_one_ends_every_request_get_their_texts_at_once(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    ids = scene.written(portal, 50)
    portal.faults.mood = fails_with([ids[13]])
    events = events_of(portal, ids)
    with capture_logs() as logs:
        async with scene.enriching(scene.settings(refetch_after_s=60.0)):
            await scene.publish(events)
            # Far below [enricher] give_up_after_s; the client's own repetitions are in it.
            await scene.until_out(50, timeout_s=20)
            calls = sizes(portal)
            more = events_of(portal, scene.written(portal, 10))
            await scene.publish([*more, events[13]])
            await scene.until_out(61, timeout_s=5)

    said = {event_id: comment for event_id, comment, _is_old in await scene.out()}
    bad = Comment(state="unavailable", reason="unreadable")
    assert said.pop(events[13].id) == bad
    assert {comment.state for comment in said.values() if comment} == {"present"}
    # Four times all of them, then as the law of the calls says.
    assert calls.count(50) == 4
    assert len(calls) - 4 <= 16
    later = sizes(portal)[len(calls) :]
    assert (sum(later), 1 in later) == (11, True)
    told = [line for line in logs if "cannot be read" in line["event"]]
    assert [(line["comment_id"], line["why"]) for line in told] == [
        (ids[13], "status 500 with a body that is no JSON object")
    ]


async def test_what_could_not_be_read_comes_again_when_it_can(scene: Scene) -> None:
    portal = await scene.portal()
    ids = scene.written(portal, 9)
    portal.faults.mood = fails_with(ids[:2])
    async with scene.enriching():
        await scene.publish(events_of(portal, ids))
        await scene.until_out(9, timeout_s=20)
        portal.calls.clear()

        def were_asked_again() -> bool:
            return len(portal.calls) >= 4

        await eventually(were_asked_again)
        # Never together again: each costs only itself.
        assert max(sizes(portal)) == 1
        portal.faults.mood = None
        await eventually(lambda: is_gone(scene, "b24:refetch:{0}"))

    old = {comment.state for _id, comment, is_old in await scene.out() if is_old and comment}
    assert old == {"present"}


async def test_a_portal_that_fails_with_every_comment_is_away_and_not_searched(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    ids = scene.written(portal, 50)
    portal.faults.mood = fails_with(ids)
    settings = scene.settings()
    async with connect(settings) as portals:
        asking = PortalRequests(portals, give_up_after_s=600.0)
        told = await asking.ask(portal.member_id, comments(ids))
        assert all(isinstance(one, Wait) for one in told.values())
        assert sorted(sizes(portal)[4:]) == [0, 1, *[7] * 7]

        portal.calls.clear()
        portal.faults.mood = None
        portal.faults.page = 500
        other = PortalRequests(portals, give_up_after_s=600.0)
        told = await other.ask(portal.member_id, comments(ids))
    assert all(isinstance(one, Wait) for one in told.values())
    assert sizes(portal) == [50, 50, 50, 50, 0]


async def test_a_comment_that_is_too_large_is_unreadable_by_itself(scene: Scene) -> None:
    portal = await scene.portal()
    small, large = scene.written(portal, 2)
    portal.comments.update(large, text="x" * 60_000)
    wanted = comments([small, large])
    async with connect(scene.settings(rest={"max_answer_bytes": 50_000})) as portals:
        told = await PortalRequests(portals, give_up_after_s=600.0).ask(portal.member_id, wanted)
    found = told[wanted[0]]
    assert isinstance(found, Comment)
    assert found.state == "present"
    assert told[wanted[1]] == Comment(state="unavailable", reason="unreadable")


@pytest.mark.parametrize("count", range(1, 51))
def test_pieces_have_all_of_a_request_in_few_requests(count: int) -> None:
    pieces = pieces_of(range(count))
    assert [one for piece in pieces for one in piece] == list(range(count))
    assert len(pieces) + max(map(len, pieces)) <= 16
