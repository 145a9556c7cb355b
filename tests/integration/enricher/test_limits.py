"""Portals have limits, and are away at times: what waits for what, and for how long."""

import time
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from consumers.testing import comment_event
from gateway.contract import Comment, CommentEvent
from gateway.sandbox.live_portal import LivePortal
from tests.integration.enricher.conftest import Scene
from tests.support.eventually import eventually

ROUNDS = 3
"""What our own waiting costs it costs each time; a busy machine does not."""


def batches(portal: LivePortal) -> list[int]:
    return [len(call.commands) for call in portal.calls if call.method == "batch"]


def events_of(portal: LivePortal, comment_ids: list[int]) -> list[CommentEvent]:
    return [comment_event(number, member_id=portal.member_id) for number in comment_ids]


async def test_a_thousand_comments_take_twenty_full_requests_and_meet_no_limit(
    scene: Scene,
) -> None:
    portal = await scene.portal(requests_per_s=2.0, burst=50.0)
    events = events_of(portal, scene.written(portal, 1000))
    began = time.monotonic()
    async with scene.enriching():
        for first in range(0, 1000, 100):
            await scene.publish(events[first : first + 100])
        await scene.until_out(1000)
        took_s = time.monotonic() - began
        await scene.until_settled()

    out = await scene.out()
    assert sorted(event_id for event_id, _comment, _is_old in out) == [one.id for one in events]
    assert {comment.state for _id, comment, _is_old in out if comment} == {"present"}
    assert len(portal.calls) <= 25
    assert [call.error for call in portal.calls if call.error] == []
    # The limit lets all of them through at once; what it takes is the machine's.
    assert took_s < 10


async def test_a_backlog_leaves_as_fast_as_the_limit_allows(scene: Scene) -> None:
    limits: dict[str, Any] = {"requests_per_s": 10.0, "burst": 5}
    # On a busy machine requests that went out a tenth of a second apart may come in together.
    portal = await scene.portal(requests_per_s=10.0, burst=8)
    await scene.publish(events_of(portal, scene.written(portal, 1500)))
    async with scene.enriching(scene.settings(rest=limits)):
        for number in range(ROUNDS):
            await scene.until_out(1500 * number + 50)
            began = time.monotonic()
            await scene.until_out(1500 * (number + 1))
            took_s = time.monotonic() - began
            # 30 requests, 4 of them at once: the rest at ten a second.
            assert took_s > 2.0
            if took_s < 4.0:
                break
            await scene.publish(events_of(portal, scene.written(portal, 1500)))
        else:
            pytest.fail(f"{took_s:.1f} s for a backlog of 30 requests")

    assert batches(portal)[:30] == [50] * 30
    assert [call.error for call in portal.calls if call.error] == []


async def test_a_trickle_of_comments_fills_requests_instead_of_the_limit(scene: Scene) -> None:
    portal = await scene.portal(requests_per_s=2.0, burst=50.0)
    events = events_of(portal, scene.written(portal, 120))
    async with scene.enriching():
        await scene.publish(events[:1])
        await scene.until_out(1)
        began = time.monotonic()
        for number, event in enumerate(events[1:]):
            await scene.publish([event])
            await eventually(lambda: time.monotonic() > began + (number + 1) / 100)  # noqa: B023
        await scene.until_out(120)
        took_s = time.monotonic() - began

    # The first one went alone; then there is one a second.
    assert batches(portal)[0] == 1
    assert len(batches(portal)) <= took_s + 3


TROUBLES: dict[str, dict[str, Any]] = {"limit": {"requests_per_s": 1.0, "burst": 1.0}}


@pytest.mark.parametrize("trouble", ["limit", "silence", "down"])
async def test_a_portal_in_trouble_delays_no_other_one(scene: Scene, trouble: str) -> None:
    quick = await scene.portal("quick")
    slow = await scene.portal("slow", **TROUBLES.get(trouble, {}))
    slow.faults.delay_s = 30.0 if trouble == "silence" else 0.0
    slow.faults.is_down = trouble == "down"
    comments = scene.written(quick, 500)

    async def took_s(events: list[CommentEvent], between: list[CommentEvent]) -> float:
        """How long the events are on their way, with others in front of each of them."""
        mixed = [one for pair in zip(between, events, strict=True) for one in pair]
        wanted = {event.id for event in events}
        began = time.monotonic()
        await scene.publish(mixed or events)
        await eventually(lambda: are_out(scene, wanted))
        return time.monotonic() - began

    async with scene.enriching():
        for _ in range(ROUNDS):
            alone_s = await took_s(events_of(quick, comments), events_of(quick, comments))
            beside_s = await took_s(
                events_of(quick, comments), events_of(slow, scene.written(slow, 500))
            )
            assert not await scene.is_settled()
            if beside_s < 1.5 * alone_s + 0.5:
                return
    pytest.fail(f"{beside_s:.1f} s beside the other one, {alone_s:.1f} s alone")


async def are_out(scene: Scene, event_ids: set[str]) -> bool:
    return event_ids <= {event_id for event_id, _comment, _is_old in await scene.out()}


async def test_a_portal_that_comes_back_in_time_is_waited_for(scene: Scene) -> None:
    portal = await scene.portal()
    first, second = scene.written(portal, 2)
    portal.faults.is_down = True
    events = [await scene.happened(portal, one) for one in (first, second, first)]
    with capture_logs() as logs:
        async with scene.enriching():
            await eventually(lambda: "a portal does not answer" in told(logs))
            events.append(await scene.happened(portal, first))
            assert await scene.out() == []
            portal.comments.update(first, text="the newest")
            portal.faults.is_down = False
            await scene.until_settled()

    out = {event_id: comment for event_id, comment, _is_old in await scene.out()}
    assert set(out) == {event.id for event in events}
    texts = [comment.text for comment in out.values() if comment]
    assert texts.count("the newest") == 3
    assert "a portal answers again" in told(logs)
    assert all(line["outcome"] == "transient" for line in logs if line["event"] == "attempt failed")


async def test_a_portal_out_of_reach_is_given_up_and_its_events_come_again_when_it_is_back(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    other = await scene.portal("other")
    comment_id, gone = scene.written(portal, 2)
    portal.faults.is_down = True
    async with scene.enriching(scene.settings(give_up_after_s=0.3)):
        events = [await scene.happened(portal, one) for one in (comment_id, gone, comment_id)]
        await scene.until_settled()
        late = await scene.happened(portal, comment_id)
        await scene.until_settled()
        assert [one[1] for one in await scene.out()] == [
            Comment(state="unavailable", reason="unreachable")
        ] * 4
        await scene.happened(other, *scene.written(other, 1))
        await scene.until_out(5)

        portal.comments.delete_entity("deal", 2)
        (again,) = scene.written(portal, 1)
        portal.faults.is_down = False
        await scene.until_out(9)
        await eventually(lambda: is_gone(scene, "b24:refetch:{0}"))
        fresh = await scene.happened(portal, again)
        await scene.until_out(10)

    out = await scene.out()
    refetched = {event_id: comment for event_id, comment, is_old in out if is_old}
    assert set(refetched) == {event.id for event in (*events, late)}
    assert {comment.state for comment in refetched.values() if comment} == {"deleted"}
    assert out[-1][0] == fresh.id
    assert out[-1][2] is False
    assert out[-1][1] is not None
    assert out[-1][1].state == "present"
    assert await scene.redis.keys("b24:refetch*") == []


async def is_gone(scene: Scene, key: str) -> bool:
    return not await scene.redis.exists(key)


async def test_a_comment_that_may_not_be_seen_comes_again_when_it_may(scene: Scene) -> None:
    portal = await scene.portal()
    seen, hidden = scene.written(portal, 2)
    portal.comments.find(hidden).entities[:] = [
        type(portal.comments.find(seen).entities[0])("lead", 5)
    ]
    portal.users.hide("lead", 5)
    async with scene.enriching():
        events = [await scene.happened(portal, one) for one in (seen, hidden)]
        await scene.until_settled()
        out = {event_id: comment for event_id, comment, _is_old in await scene.out()}
        assert out[events[1].id] == Comment(state="unavailable", reason="access_denied")
        assert await scene.redis.zcard("b24:refetch:{0}") == 1
        portal.users.show("lead", 5)
        await scene.until_out(3)

    event_id, comment, is_old = (await scene.out())[-1]
    assert comment is not None
    assert (event_id, comment.state, comment.text, is_old) == (
        events[1].id,
        "present",
        "text 1",
        True,
    )


async def test_a_method_that_used_up_its_time_is_waited_for_no_longer_than_allowed(
    scene: Scene,
) -> None:
    portal = await scene.portal()
    portal.costs_s["crm.timeline.comment.get"] = 300.0
    portal.operating.limit_s = 1.0
    ids = scene.written(portal, 120)
    events = events_of(portal, ids)
    async with scene.enriching(scene.settings(give_up_after_s=0.5)):
        await scene.publish(events)
        await scene.until_settled()

    out = await scene.out()
    assert {event_id for event_id, _comment, _is_old in out} == {event.id for event in events}
    reasons = [comment.reason for _id, comment, _is_old in out if comment]
    assert 100 < reasons.count("limited") < 120
    assert reasons.count(None) == 120 - reasons.count("limited")


async def limit_of_a_request(_request: web.Request, _parameters: Any) -> web.StreamResponse:
    return web.json_response({"error": "QUERY_LIMIT_EXCEEDED"}, status=503)


async def limit_of_each_command(_request: web.Request, parameters: Any) -> web.StreamResponse:
    errors = {name: {"error": "QUERY_LIMIT_EXCEEDED"} for name in parameters["cmd"]}
    return web.json_response({"result": {"result": {}, "result_error": errors}})


@pytest.mark.parametrize("always_limited", [limit_of_a_request, limit_of_each_command])
async def test_a_portal_that_is_always_at_its_limit_is_given_up_and_told_of(
    scene: Scene, always_limited: Any
) -> None:
    portal, other = await scene.portal(), await scene.portal("other")
    portal.faults.mood = always_limited
    settings = scene.settings(give_up_after_s=0.5, rest={"call_timeout_s": 1.0})
    with capture_logs() as logs:
        async with scene.enriching(settings):
            await scene.publish(events_of(portal, scene.written(portal, 120)))
            await scene.publish(events_of(other, scene.written(other, 5)))
            await scene.until_out(5)
            assert not await scene.is_settled()
            await scene.until_settled()
            assert REGISTRY.get_sample_value("b24_enricher_portals_failing") == 1

    comments = [comment for _id, comment, _is_old in await scene.out() if comment is not None]
    assert [one.state for one in comments[:5]] == ["present"] * 5
    assert {(one.state, one.reason) for one in comments[5:]} == {("unavailable", "limited")}
    assert len(comments) == 125
    of_portal = [one for one in logs if one.get("member_id") == portal.member_id]
    assert [
        (one["event"].partition(":")[0], one["reason"]) for one in of_portal if "reason" in one
    ] == [("a portal does not answer", "limited"), ("a portal is given up for now", "limited")]


async def test_what_waits_to_be_asked_for_again_is_bounded_and_expires(scene: Scene) -> None:
    portal = await scene.portal()
    portal.faults.refusal = (403, "ACCESS_DENIED", "no")
    settings = scene.settings(max_refetch=5, refetch_days=6e-5, refetch_after_s=0.6)
    with capture_logs() as logs:
        async with scene.enriching(settings):
            await scene.publish(events_of(portal, scene.written(portal, 30)))
            await scene.until_settled()
            assert 0 < await scene.redis.pttl("b24:refetch:{0}") <= 12_000

            async def is_bounded() -> bool:
                queued = int(await scene.redis.zcard("b24:refetch:{0}"))
                return queued == await scene.redis.hlen("b24:refetch:{0}:events") == 5

            await eventually(is_bounded)
            await eventually(lambda: is_gone(scene, "b24:refetch:{0}"))

    causes = [line["cause"] for line in logs if "asked for again" in line["event"]]
    assert causes == ["too many", "too old"]


def told(logs: Any) -> list[str]:
    return [line["event"] for line in logs]
