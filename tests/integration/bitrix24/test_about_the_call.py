"""What a portal or the authorization server says of a call is never said of a comment."""

import ssl

import pytest
import trustme

from consumers.enricher.fetching import PortalAway, fetch
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import NotFound, PortalGone, TooManyRequests, Unauthorized, Untrusted
from gateway.contract import Comment
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import MEMBER_ID, type_of_connect

NO_PORTAL = (404, "not_found", "Portal not found")
NO_PLAN = (403, "ACCESS_DENIED", "REST is available only by subscription")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (NO_PORTAL, "portal_gone"),
        ((404, "not_found", "Not found"), "unauthorized"),
        ((404, "ERROR_NOT_FOUND", ""), "unauthorized"),
        ((403, "access_denied", "no"), "unauthorized"),
        ((400, "invalid_grant", "no"), "unauthorized"),
        ((402, "PAYMENT_REQUIRED", "Payment required"), "not_in_plan"),
        ((503, "QUERY_LIMIT_EXCEEDED", "no"), "limited"),
        ((500, "INTERNAL_SERVER_ERROR", "no"), "unreachable"),
    ],
    ids=str,
)
async def test_comments_are_not_gone_when_their_portal_is_for_the_authorization_server(
    gateway: Bitrix24,
    sandbox: Sandbox,
    portal: LivePortal,
    refusal: tuple[int, str, str],
    reason: str,
) -> None:
    wanted = Wanted.comment(
        portal.comments.add(entity_type="deal", entity_id=2, text="one", author_id=1)
    )
    portal.expire_tokens()
    sandbox.authorization.faults.refusal = refusal

    found = await fetch(gateway.portal(MEMBER_ID), [wanted])

    assert isinstance(found, PortalAway) or isinstance(found[wanted], Comment)
    assert (found if isinstance(found, PortalAway) else found[wanted]).reason == reason


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (NO_PORTAL, "portal_gone"),
        (NO_PLAN, "not_in_plan"),
        ((500, "PORTAL_DELETED", "Portal was deleted"), "portal_gone"),
        ((404, "ERROR_NOT_FOUND", "Not found"), "refused"),
        ((403, "ACCESS_DENIED", "no"), "access_denied"),
    ],
    ids=str,
)
async def test_comments_are_not_gone_when_the_whole_batch_is_refused(
    gateway: Bitrix24, portal: LivePortal, refusal: tuple[int, str, str], reason: str
) -> None:
    portal.faults.refusal = refusal

    wanted = [Wanted.comment(13), Wanted.comment(14)]

    found = await fetch(gateway.portal(MEMBER_ID), wanted)

    assert found == dict.fromkeys(wanted, Comment(state="unavailable", reason=reason))


async def test_not_found_is_raised_by_the_very_method_only(
    gateway: Bitrix24, sandbox: Sandbox, portal: LivePortal
) -> None:
    client = gateway.portal(MEMBER_ID)
    with pytest.raises(NotFound):
        await client.call("crm.timeline.comment.get", {"id": 999})
    portal.expire_tokens()
    sandbox.authorization.faults.refusal = NO_PORTAL
    with pytest.raises(PortalGone):
        await client.call("crm.timeline.comment.get", {"id": 999})
    sandbox.authorization.faults.refusal = (404, "not_found", "")
    with pytest.raises(Unauthorized):
        await client.call("crm.timeline.comment.get", {"id": 999})


async def test_a_certificate_that_is_not_accepted_is_the_reason_given(
    connected: type_of_connect,
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with open_sandbox(tls=tls) as sandbox:
        portal = await sandbox.add_portal(member_id=MEMBER_ID)
        async with connected(webhook=portal.webhook_url, call_timeout_s=0.5) as gateway:
            with pytest.raises(Untrusted, match="local issuer certificate .*trusted are those of"):
                await gateway.portal(MEMBER_ID).call("profile")
            away = await fetch(gateway.portal(MEMBER_ID), [Wanted.comment(1)])
    assert isinstance(away, PortalAway)
    assert "certificate is not accepted" in away.why


async def test_the_end_of_the_time_for_a_call_does_not_hide_what_failed(
    connected: type_of_connect, unused_tcp_port: int
) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port}/rest/1/fakecode/"
    limits = {"requests_per_s": 0.5, "burst": 1, "call_timeout_s": 1.0}
    async with connected(webhook=nobody, **limits) as gateway:
        client = gateway.portal(MEMBER_ID)
        with pytest.raises(Exception, match="no connection") as told:
            await client.call("profile", is_repeatable=True)
        assert not isinstance(told.value, TooManyRequests)
