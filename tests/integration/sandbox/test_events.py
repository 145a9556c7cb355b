"""Handlers: how they are bound, what they are told, and how the queue treats them."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from aiohttp import web

from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.delivering import DeliveryPace
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler, a_handler

UPDATE = "ONCRMTIMELINECOMMENTUPDATE"


@pytest.fixture
async def other() -> AsyncIterator[Handler]:
    async with a_handler() as one:
        yield one


def commented(portal: LivePortal, times: int = 1) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="0", author_id=7)
    for number in range(times):
        portal.comments.update(comment_id, text=f"{number}")


async def test_installation_brings_all_tokens(
    portal: LivePortal, handler: Handler, sandbox: Sandbox
) -> None:
    (event,) = handler.events
    auth = event["auth"]

    assert event["event"] == "ONAPPINSTALL"
    assert isinstance(auth, dict)
    assert auth["member_id"] == portal.member_id
    assert auth["application_token"] == portal.application_token
    assert auth["client_endpoint"] == portal.endpoint
    assert auth["server_endpoint"] == f"{sandbox.authorization_url}rest/"
    assert auth["refresh_token"]
    assert [(one.status, one.answer) for one in portal.deliveries] == [(200, "ok")]


async def test_application_token_stays_over_installations_and_differs_by_portal(
    sandbox: Sandbox, portal: LivePortal, handler: Handler
) -> None:
    before = portal.application_token
    await portal.uninstall(clean=False)
    await portal.install(handler.url)
    await portal.sent()

    assert portal.application_token == before
    assert (await sandbox.add_portal()).application_token != before
    assert portal.installations.token_for(sandbox.add_application()) != before


async def test_handlers_are_bound_seen_and_unbound(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    bound = await call("event.bind", EVENT="onCrmTimelineCommentUpdate", Handler=handler.url)
    again = await call("event.bind", event=UPDATE, handler=handler.url)
    as_another = await call("event.bind", event=UPDATE, handler=handler.url, auth_type=7)
    offline = await call("event.bind", event=UPDATE, event_type="offline", auth_connector="gw")

    assert [told.status for told in (bound, again, as_another, offline)] == [200, 400, 200, 200]
    assert again.tree == {
        "error": "ERROR_CORE",
        "error_description": "Unable to set event handler: Handler already binded",
    }
    rows = (await call("event.get")).tree["result"]
    assert rows == [
        {"event": "ONAPPINSTALL", "handler": handler.url, "auth_type": "0", "offline": 0},
        {"event": UPDATE, "handler": handler.url, "auth_type": "0", "offline": 0},
        {"event": UPDATE, "handler": handler.url, "auth_type": "7", "offline": 0},
        {"event": UPDATE, "connector_id": "gw", "offline": 1},
    ]
    one = await call("event.unbind", event=UPDATE, handler=handler.url, auth_type=0)
    rest = await call("event.unbind", event=UPDATE, handler=handler.url)
    none = await call("event.unbind", event=UPDATE, handler=handler.url)
    queue = await call("event.unbind", event=UPDATE, event_type="offline", auth_connector="gw")
    assert [told.tree["result"]["count"] for told in (one, rest, none, queue)] == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"event": "onSomething"}, "ERROR_EVENT_NOT_FOUND"),
        ({"event": UPDATE}, "ERROR_ARGUMENT"),
        ({"event": UPDATE, "handler": "ftp://gateway.example/"}, "ERROR_UNSUPPORTED_PROTOCOL"),
        ({"event": UPDATE, "handler": "http://localhost/"}, "ERROR_WRONG_HANDLER_URL"),
        ({"event": UPDATE, "event_type": "sometimes"}, "ERROR_ARGUMENT"),
        ({"event": "ONOFFLINEEVENT", "event_type": "offline"}, "ERROR_ARGUMENT"),
    ],
)
async def test_what_cannot_be_bound_is_refused(
    call: Call, parameters: dict[str, str], error: str
) -> None:
    told = await call("event.bind", parameters)

    assert (told.status, told.tree["error"]) == (400, error)


async def test_only_administrators_bind_for_others_and_for_the_queue(
    portal: LivePortal, call: Call, handler: Handler
) -> None:
    user = portal.open_page(user_id=7).form["AUTH_ID"]

    online = await call("event.bind", auth=user, event=UPDATE, handler=handler.url)
    other = await call("event.bind", auth=user, event=UPDATE, handler=handler.url, auth_type=1)
    offline = await call("event.bind", auth=user, event=UPDATE, event_type="offline")

    assert online.tree["result"] is True
    assert [told.status for told in (other, offline)] == [403, 403]
    assert {told.tree["error"] for told in (other, offline)} == {"ACCESS_DENIED"}


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


@pytest.mark.parametrize("clean", [True, False])
async def test_uninstallation_is_told_to_who_bound_it_and_ends_all(
    portal: LivePortal, call: Call, handler: Handler, *, clean: bool
) -> None:
    await call("event.bind", event="ONAPPUNINSTALL", handler=handler.url)
    await call("event.bind", event=UPDATE, handler=handler.url)
    handler.bodies.clear()
    await portal.uninstall(clean=clean)
    commented(portal)
    await portal.sent()

    (event,) = handler.events
    assert event["event"] == "ONAPPUNINSTALL"
    assert event["data"] == {"CLEAN": str(int(clean)), "LANGUAGE_ID": "en"}
    assert isinstance(event["auth"], dict)
    assert "access_token" not in event["auth"]
    assert (await call("event.get")).tree["error"] == "NO_AUTH_FOUND"


async def test_application_with_pages_hears_nothing_before_it_is_finished(
    sandbox: Sandbox, portal: LivePortal, call: Call, handler: Handler
) -> None:
    await portal.install(None)
    opened = portal.open_page()
    token = opened.form["AUTH_ID"]
    await call("event.bind", auth=token, event=UPDATE, handler=handler.url)
    handler.bodies.clear()
    commented(portal)
    await portal.sent()
    assert handler.bodies == []

    portal.finish_installation()
    commented(portal)
    await portal.sent()
    assert handler.names == [UPDATE]
    assert opened.query["DOMAIN"] == portal.domain
    assert opened.form["member_id"] == portal.member_id


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
