"""The bodies of the sandbox in the eyes of b24pysdk: it reads every one of them."""

from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from b24pysdk import BitrixApp
from b24pysdk.credentials import OAuthEventData, OAuthWorkflowData
from click.testing import CliRunner

from gateway.cli import cli
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.bodies import EVENTS
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.official_sdk import (
    UPDATE,
    answered,
    app,
    client,
    portal,
    sandbox,
    token,
    token_of,
)

__all__ = ["app", "client", "portal", "sandbox", "token"]

FORMS = [(event, form) for event, kind in EVENTS.items() for form in kind.forms]


def read(body: bytes) -> OAuthEventData:
    return OAuthEventData.from_dict(dict(parse_qsl(body.decode(), strict_parsing=True)))


async def test_every_body_that_a_portal_sends_is_read_and_proven_genuine(
    sandbox: Sandbox, portal: LivePortal, app: BitrixApp
) -> None:
    bodies: list[bytes] = []

    async def keep(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    receiver = web.Application()
    receiver.router.add_post("/", keep)
    async with TestServer(receiver) as server:
        url = str(server.make_url("/"))
        await portal.install(url)
        token = token_of(portal, app)
        client = token.get_client()
        comments = [f"onCrmTimelineComment{what}" for what in ("Add", "Update", "Delete")]
        for name in (*comments, "onAppTest", "onOfflineEvent", "onAppUninstall"):
            assert await answered(client.event.bind(name, url).call)
        queued = client.event.bind(UPDATE, "", event_type="offline")
        assert await answered(lambda: queued.result)
        portal.add_outgoing_webhook(url, ["comment.updated"])
        comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x", author_id=7)
        portal.comments.update(comment_id, text="y")
        portal.comments.delete(comment_id)
        # The SDK has no method of its own for this.
        await answered(lambda: token.call_method("event.test", {"any": "data"}))
        await portal.sent()
        for event in map(read, bodies):
            if not event.is_system:
                info = await answered(partial(event.get_app_info, app))
                assert event.validate_against_app_info(info)
        await portal.uninstall(clean=True)
        await portal.sent()

    told = [read(body) for body in bodies]
    assert [event.event for event in told] == [
        "ONAPPINSTALL",
        "ONCRMTIMELINECOMMENTADD",
        "ONCRMTIMELINECOMMENTUPDATE",
        "ONCRMTIMELINECOMMENTUPDATE",
        "ONOFFLINEEVENT",
        "ONCRMTIMELINECOMMENTDELETE",
        "ONAPPTEST",
        "ONAPPUNINSTALL",
    ]
    # The outgoing webhook's is one of them.
    assert [number for number, event in enumerate(told) if event.is_system] == [3, 7]
    assert told[1].data == {"FIELDS": {"ID": str(comment_id)}}


@pytest.mark.parametrize("form", sorted({form for _, form in FORMS}))
def test_every_body_of_trigger_is_read_or_known_not_to_be(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for event in (event for event, its_form in FORMS if its_form == form):
        is_read_or_known_not_to_be(event, form)


def is_read_or_known_not_to_be(event: str, form: str) -> None:
    shown = CliRunner().invoke(cli, ["trigger", event, "--form", form, "--show"])
    assert shown.exit_code == 0, shown.output
    body = shown.output.strip().encode()

    if event == "robot.activity":
        robot = OAuthWorkflowData.from_dict(dict(parse_qsl(body.decode())))
        assert robot.document_id == ["crm", "CCrmDocumentDeal", "DEAL_15"]
        return
    if form in ("webhook-three-keys", "as-documented"):
        # Senders of before 2024, and the reference pages, have no event_handler_id; the SDK
        # cannot do without.
        with pytest.raises(OAuthEventData.ValidationError, match="event_handler_id"):
            read(body)
        return
    told = read(body)
    assert told.event == EVENTS[event].name.upper()
    assert told.auth.member_id
    of_nobody = ("app.uninstalled", "app_method.confirmed")
    assert told.is_system == (form != "app" or event in of_nobody)
