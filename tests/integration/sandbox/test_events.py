"""Handlers: how they are bound, what they are told, and how the queue treats them."""

import pytest

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.comment_handlers import UPDATE, commented, other
from tests.integration.sandbox.conftest import Call, Handler

__all__ = ["other"]


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
