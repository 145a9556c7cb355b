"""The sandbox in the eyes of b24pysdk, which calls it: tokens, comments, limits, errors."""

import time
from typing import Any

import pytest
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook
from b24pysdk.client import BaseClient
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

from gateway.sandbox.assembly import Sandbox
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

HANDLER = "https://gateway.example.com/bitrix24/events"


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
        await answered(lambda: client.crm.lead.get(1).result)


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
