"""The sandbox in the eyes of b24pysdk, Bitrix24's own SDK: it calls over TLS, and reads every body.

https://github.com/bitrix24/b24pysdk. The authorization server's address is fixed in its code, so it
is patched here. It is synchronous, and therefore called on threads.
"""

import asyncio
import gc
import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import psutil
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, Config
from b24pysdk.api.requesters import BitrixOAuthRequester
from b24pysdk.client import BaseClient
from b24pysdk.credentials import OAuthEventData, OAuthPlacementData, OAuthWorkflowData
from b24pysdk.errors import (
    BitrixAPIAccessDenied,
    BitrixAPIBadRequest,
    BitrixAPIExpiredToken,
    BitrixAPINotFound,
    BitrixAPIOperationTimeLimit,
    BitrixAPIOverloadLimit,
    BitrixAPIQueryLimitExceeded,
    BitrixAPIWrongAuthType,
    BitrixResponse302JSONDecodeError,
    BitrixResponse403JSONDecodeError,
    BitrixResponse500JSONDecodeError,
)
from b24pysdk.errors.oauth import (
    BitrixOAuthInvalidGrant,
    BitrixOAuthNoAuthFound,
    BitrixOauthWrongClient,
)
from click.testing import CliRunner

from gateway.cli import cli
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.bodies import EVENTS
from gateway.sandbox.live_portal import LivePortal
from tests.support.eventually import eventually

UPDATE = "onCrmTimelineCommentUpdate"
HANDLER = "https://gateway.example.com/bitrix24/events"
FORMS = [(event, form) for event, kind in EVENTS.items() for form in kind.forms]
T = TypeVar("T")


@pytest.fixture
async def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    async with open_sandbox(tls=tls) as one:
        root = one.authorization_url
        assert root.startswith("https://")
        monkeypatch.setattr(BitrixOAuthRequester, "_OAUTH_TOKEN_URL", f"{root}oauth/token/")
        monkeypatch.setattr(BitrixOAuthRequester, "_APP_INFO_URL", f"{root}rest/app.info/")
        yield one
        # Answers, which hang on exceptions, hold the SDK's sockets open; and asyncio, which closes
        # TLS in several steps, complains of sockets that are open when its loop ends.
        await eventually(lambda: not open_connections(), timeout_s=5)


def open_connections() -> list[Any]:
    """What this process has accepted, and not closed yet."""
    gc.collect()
    connections = psutil.Process().net_connections(kind="tcp4")
    listening = {one.laddr for one in connections if one.status == psutil.CONN_LISTEN}
    return [
        one for one in connections if one.laddr in listening and one.status != psutil.CONN_LISTEN
    ]


@pytest.fixture
async def portal(sandbox: Sandbox) -> LivePortal:
    one = await sandbox.add_portal()
    await one.install(None)
    one.finish_installation()
    return one


@pytest.fixture
def app(sandbox: Sandbox) -> BitrixApp:
    application = sandbox.application
    return BitrixApp(client_id=application.client_id, client_secret=application.client_secret)


@pytest.fixture
def token(portal: LivePortal, app: BitrixApp) -> BitrixToken:
    return token_of(portal, app)


@pytest.fixture
def client(token: BitrixToken) -> BaseClient:
    return token.get_client()


def token_of(portal: LivePortal, app: BitrixApp) -> BitrixToken:
    """A token that the SDK made of an opened page; of the address it keeps the host alone."""
    opened = portal.open_page()
    data = OAuthPlacementData.from_dict(opened.query | opened.form)
    made = BitrixToken.from_oauth_placement_data(data, app)
    assert (made.domain, made.auth_token) == (portal.domain, opened.form["AUTH_ID"])
    return made


async def answered(ask: Callable[[], T]) -> T:
    def once() -> T:
        # It repeats what is answered with 503, after seconds. This is set for each thread.
        Config().default_max_retries = 1
        return ask()

    return await asyncio.to_thread(once)


def read(body: bytes) -> OAuthEventData:
    return OAuthEventData.from_dict(dict(parse_qsl(body.decode(), strict_parsing=True)))


async def test_tokens_are_renewed_and_the_old_one_is_used_up(
    token: BitrixToken, sandbox: Sandbox, portal: LivePortal
) -> None:
    old = token.refresh_token
    renewed = await answered(token.refresh_oauth_token)

    assert renewed.member_id == portal.member_id
    assert renewed.client_endpoint == portal.endpoint
    assert renewed.oauth_token.refresh_token != old
    assert not renewed.oauth_token.has_expired
    with pytest.raises(BitrixOAuthInvalidGrant):
        await answered(token.refresh_oauth_token)
    info = await answered(token.get_app_info)
    assert renewed.validate_against_app_info(info.result)


async def test_expired_token_is_renewed_on_the_way(
    token: BitrixToken, client: BaseClient, portal: LivePortal
) -> None:
    portal.expire_tokens()
    before = token.auth_token

    assert await answered(lambda: client.profile().result["ADMIN"])
    assert token.auth_token != before


async def test_token_that_cannot_be_renewed_is_told_to_have_expired(
    portal: LivePortal, client: BaseClient, token: BitrixToken
) -> None:
    token.refresh_token = None
    portal.expire_tokens()

    with pytest.raises(BitrixAPIExpiredToken):
        await answered(lambda: client.profile().result)


async def test_wrong_application_is_told_from_a_wrong_token(
    app: BitrixApp, token: BitrixToken
) -> None:
    app.client_secret = "fake"
    with pytest.raises(BitrixOauthWrongClient):
        await answered(token.refresh_oauth_token)
    token.auth_token = "fake"
    with pytest.raises(BitrixOAuthNoAuthFound):
        await answered(token.get_app_info)


async def test_app_info_is_understood(
    token: BitrixToken, client: BaseClient, portal: LivePortal, sandbox: Sandbox
) -> None:
    info = (await answered(token.get_app_info)).result
    in_portal = await answered(lambda: client.app.info().result)

    assert info.client_id == sandbox.application.client_id
    assert info.install.member_id == portal.member_id
    assert info.install.installed
    assert info.expires.timestamp() > time.time() + 3500
    assert in_portal["LICENSE"] == "en_pro100"


async def test_handlers_are_bound_seen_and_unbound(client: BaseClient) -> None:
    assert await answered(lambda: client.event.bind(UPDATE, HANDLER).result)
    bind_offline = client.event.bind(UPDATE, "", event_type="offline", auth_connector="gw")
    assert await answered(lambda: bind_offline.result)
    with pytest.raises(BitrixAPIBadRequest) as twice:
        await answered(lambda: client.event.bind(UPDATE, HANDLER).result)
    rows = await answered(lambda: client.event.get().result)
    unbound = await answered(lambda: client.event.unbind(UPDATE, HANDLER).result)

    assert twice.value.error == "ERROR_CORE"
    assert [(row["event"], row["offline"]) for row in rows] == [
        (UPDATE.upper(), 0),
        (UPDATE.upper(), 1),
    ]
    assert unbound == {"count": 1}


async def test_queue_is_drained_by_reservation(client: BaseClient, portal: LivePortal) -> None:
    await answered(lambda: client.event.bind(UPDATE, "", event_type="offline").result)
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x")
    portal.comments.update(comment_id, text="y")

    offline = client.event.offline
    taken = await answered(lambda: offline.get(clear=False).result)
    (row,) = taken["events"]
    assert row["EVENT_DATA"] == {"FIELDS": {"ID": comment_id}}
    listed = await answered(lambda: offline.list(order={"ID": "ASC"}).result)
    assert [one["PROCESS_ID"] for one in listed] == [taken["process_id"]]
    process, messages = taken["process_id"], [row["MESSAGE_ID"]]
    clear = offline.clear(process, message_id=messages)
    assert await answered(lambda: clear.result) is True
    assert await answered(lambda: offline.list().result) == []


async def test_comments_are_written_read_and_deleted(
    client: BaseClient, portal: LivePortal
) -> None:
    comment = client.crm.timeline.comment
    fields = {"ENTITY_ID": 15, "ENTITY_TYPE": "deal", "COMMENT": "Hello 😀",
              "FILES": [["a.txt", "aGVsbG8="]]}  # fmt: skip
    added = await answered(lambda: comment.add(fields).result)
    updated = await answered(lambda: comment.update(added, {"COMMENT": "Bye"}).result)
    got = await answered(lambda: comment.get(added).result)
    assert updated == added
    assert (got["COMMENT"], got["ID"], got["AUTHOR_ID"]) == ("Bye", str(added), "1")

    for number in range(60):
        portal.comments.add(entity_type="deal", entity_id=15, text=f"{number}")
    asked = {"ENTITY_ID": 15, "ENTITY_TYPE": "deal"}
    page = await answered(lambda: comment.list(asked, order={"ID": "ASC"}).response)
    everything = await answered(lambda: comment.list(asked).as_list().result)
    assert (len(page.result), page.total, page.next) == (50, 61, 50)
    assert len(everything) == 61

    assert await answered(lambda: comment.delete(added).result) is None
    with pytest.raises(BitrixAPIBadRequest) as gone:
        await answered(lambda: comment.get(added).result)
    assert (gone.value.error, gone.value.error_description) == ("", "Not found.")


async def test_batch_tells_results_from_errors(client: BaseClient, portal: LivePortal) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x")
    comment = client.crm.timeline.comment
    calls = {"there": comment.get(comment_id), "gone": comment.get(999)}
    told = await answered(lambda: client.call_batch(calls).result)
    many = {str(number): comment.get(comment_id) for number in range(120)}
    told_of_many = await answered(lambda: client.call_batches(many).result)

    assert told.result["there"]["COMMENT"] == "x"
    assert told.result_error["gone"]["error_description"] == "Not found."
    assert len(told_of_many.result) == 120
    assert [len(call.commands) for call in portal.calls] == [2, 50, 50, 20]


async def test_limits_are_told_by_their_kind(app: BitrixApp, sandbox: Sandbox) -> None:
    small = await sandbox.add_portal(requests_per_s=0.001, burst=3)
    await small.install(None)
    client = token_of(small, app).get_client()
    small.costs_s["profile"] = 1000

    time_told = (await answered(lambda: client.profile().response)).time
    assert time_told.operating > 480
    assert time_told.operating_reset_at.timestamp() > time.time()
    with pytest.raises(BitrixAPIOperationTimeLimit):
        await answered(lambda: client.profile().result)
    await answered(lambda: client.app.info().result)
    with pytest.raises(BitrixAPIQueryLimitExceeded):
        await answered(lambda: client.app.info().result)


async def test_what_goes_wrong_is_told_by_its_kind(
    client: BaseClient, portal: LivePortal, sandbox: Sandbox, token: BitrixToken
) -> None:
    async def refused(kind: type[Exception]) -> Any:
        with pytest.raises(kind) as told:
            await answered(lambda: client.profile().result)
        return told.value

    portal.faults.overload()
    await refused(BitrixAPIOverloadLimit)
    portal.faults.wrong_licence()
    await refused(BitrixAPIAccessDenied)
    portal.faults.clear()
    for status, kind in (
        (403, BitrixResponse403JSONDecodeError),
        (500, BitrixResponse500JSONDecodeError),
    ):
        portal.faults.page = status
        await refused(kind)
    portal.faults.clear()
    with pytest.raises(BitrixAPINotFound):
        await answered(lambda: client.crm.deal.get(1).result)


async def test_inbound_webhook_is_no_application(portal: LivePortal) -> None:
    webhook = BitrixWebhook(domain=portal.domain, webhook_token=f"1/{portal.webhook_code}")
    client = webhook.get_client()

    assert await answered(lambda: client.profile().result["ID"]) == "1"
    with pytest.raises(BitrixAPIWrongAuthType):
        await answered(lambda: client.event.get().result)


async def test_renamed_portal_is_told(
    sandbox: Sandbox, portal: LivePortal, token: BitrixToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Followed, it would go to port 443: of the new address it takes the host name and no port.
    monkeypatch.setattr(BitrixToken, "_AUTO_CHANGED_DOMAIN", False)
    await sandbox.rename(portal)

    with pytest.raises(BitrixResponse302JSONDecodeError) as moved:
        await answered(lambda: token.get_client().profile().result)
    assert moved.value.redirect_url == f"{portal.endpoint}profile.json"
    token.domain = portal.domain
    assert await answered(lambda: token.get_client().profile().result["ID"]) == "1"


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


@pytest.mark.parametrize(("event", "form"), FORMS)
def test_every_body_of_trigger_is_read_or_known_not_to_be(
    event: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
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
    assert told.is_system == (form != "app" or event == "app.uninstalled")
