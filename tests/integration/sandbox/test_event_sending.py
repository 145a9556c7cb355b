"""What handlers are sent: when, how often, and with whose tokens."""

import asyncio
import time
from itertools import pairwise

from aiohttp import web

from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.delivering import DeliveryPace
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.comment_handlers import UPDATE, commented, other
from tests.integration.sandbox.conftest import Call, Handler

__all__ = ["other"]


async def test_event_names_its_binding_and_carries_the_tokens_of_its_user(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    for auth_type in (0, 1):
        await call("event.bind", event=UPDATE, handler=handler.url, auth_type=auth_type)
    handler.bodies.clear()
    commented(portal)
    await portal.sent()

    own, administrators = handler.events
    assert own["event_handler_id"] != administrators["event_handler_id"]
    assert isinstance(own["auth"], dict)
    assert isinstance(administrators["auth"], dict)
    assert (own["auth"]["user_id"], administrators["auth"]["user_id"]) == ("7", "1")
    seen = await call("profile", auth=own["auth"]["access_token"])
    assert seen.tree["result"]["ID"] == "7"


async def test_changes_of_one_request_are_told_at_its_end_and_once(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await call("event.bind", event=UPDATE, handler=handler.url)
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="0")
    handler.bodies.clear()
    edit = f"crm.timeline.comment.update?id={comment_id}&fields[COMMENT]="
    told = await call("batch", cmd={"a": f"{edit}1", "b": f"{edit}2"})
    await portal.sent()

    assert told.tree["result"]["result"] == {"a": comment_id, "b": comment_id}
    assert handler.names == [UPDATE]
    assert portal.comments.find(comment_id).text == "2"


async def test_test_event_brings_back_what_was_asked(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await call("event.bind", event="onAppTest", handler=handler.url)
    handler.bodies.clear()
    told = await call("event.test", canary="c1")
    await portal.sent()

    assert told.tree["result"] == 1
    (event,) = handler.events
    assert event["event"] == "ONAPPTEST"
    assert event["data"] == {"QUERY": {"canary": "c1"}, "LANGUAGE_ID": "en"}


async def test_outgoing_webhook_has_a_token_of_its_own_and_no_others(
    portal: LivePortal, other: Handler
) -> None:
    token = portal.add_outgoing_webhook(other.url, ["comment.updated"])
    commented(portal)
    await portal.sent()

    (event,) = other.events
    assert event["auth"] == {
        "domain": portal.domain,
        "client_endpoint": portal.endpoint,
        "server_endpoint": event["auth"]["server_endpoint"],  # type: ignore[index]
        "member_id": portal.member_id,
        "application_token": token,
    }
    assert token != portal.application_token


async def test_failed_request_is_never_sent_again(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await call("event.bind", event=UPDATE, handler=handler.url)
    handler.bodies.clear()

    async def fail() -> web.Response:
        return web.Response(status=503)

    handler.answer = fail
    commented(portal, 2)
    await portal.sent()
    handler.answer = None
    commented(portal)
    await portal.sent()

    assert len(handler.bodies) == 3
    assert [one.status for one in portal.deliveries[-3:]] == [503, 503, 200]


async def test_handler_that_is_gone_is_noted_and_events_in_transit_can_be_lost(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    await call("event.bind", event=UPDATE, handler=handler.url)
    await handler.server.close()
    commented(portal)
    await portal.sent()
    assert portal.deliveries[-1].status is None
    assert portal.deliveries[-1].error

    portal.faults.loses_events = True
    commented(portal)
    assert portal.deliveries[-1].error == "lost on the way"


async def test_slow_handler_is_called_ever_less_often(handler: Handler) -> None:
    pace = DeliveryPace(slow_s=0.01, first_pause_s=0.1, max_pause_s=0.3)
    arrived: list[float] = []

    async def dawdle() -> web.Response:
        arrived.append(time.monotonic())
        await asyncio.sleep(0.02)
        return web.Response()

    handler.answer = dawdle
    async with open_sandbox(pace=pace) as sandbox:
        portal = await sandbox.add_portal()
        portal.add_outgoing_webhook(handler.url, ["comment.updated"])
        commented(portal, 4)
        await portal.sent()

    pauses = [after - before for before, after in pairwise(arrived)]
    assert pauses[0] > 0.1
    assert pauses[1] > 0.2
    assert pauses[2] > 0.3


async def test_requests_overtake_one_another_where_several_are_under_way(
    handler: Handler,
) -> None:
    first_arrived, others_arrived = asyncio.Event(), asyncio.Event()

    async def hold_the_first() -> web.Response:
        if not first_arrived.is_set():
            first_arrived.set()
            await others_arrived.wait()
        elif len(handler.bodies) == 3:
            others_arrived.set()
        return web.Response()

    handler.answer = hold_the_first
    async with open_sandbox(pace=DeliveryPace(concurrency=2)) as sandbox:
        portal = await sandbox.add_portal()
        portal.add_outgoing_webhook(handler.url, ["comment.updated"])
        for _ in range(3):
            commented(portal)
        async with asyncio.timeout(10):
            await portal.sent()

    # As they ended: the first, which was held, is not the first of them.
    assert portal.deliveries[0].body != handler.bodies[0]
    assert sorted(one.body for one in portal.deliveries) == sorted(handler.bodies)


async def test_portal_at_a_new_address_says_so_in_its_events(
    sandbox: Sandbox, portal: LivePortal, call: Call, handler: Handler
) -> None:
    await call("event.bind", event=UPDATE, handler=handler.url)
    before = portal.endpoint
    handler.bodies.clear()
    await sandbox.rename(portal)
    commented(portal)
    await portal.sent()

    (event,) = handler.events
    assert isinstance(event["auth"], dict)
    assert event["auth"]["client_endpoint"] == portal.endpoint != before
    assert event["auth"]["member_id"] == portal.member_id
