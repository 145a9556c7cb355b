"""Installations that somebody else claims: they register nothing and call nobody.

Every server is a real one. The attacker's would confirm whatever it is asked; it is never asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.running import Gateway
from tests.integration.installation.traces import MADE_UP, nothing_is_left


class Attacker:
    """A server that plays the authorization server and the portal, and notes who comes."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self.info: Any = {}
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._visited)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))

    async def _visited(self, request: web.Request) -> web.Response:
        self.visits.append(request.path)
        return web.json_response({"result": self.info})


@pytest.fixture
async def attacker(sandbox: Sandbox, portal: LivePortal) -> AsyncIterator[Attacker]:
    one = Attacker()
    async with one.server:
        one.info = {
            "client_id": sandbox.application.client_id,
            "install": {
                "installed": True,
                "member_id": portal.member_id,
                "client_endpoint": f"{one.url}rest/",
                "domain": "attacker.example",
            },
            "user_id": 1,
        }
        yield one
        assert one.visits == []


Forge = Callable[[Sandbox, LivePortal, Attacker], Awaitable[bytes]]


async def token_that_is_made_up(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    return forged(await genuine(portal), access_token=MADE_UP)


async def server_of_the_attacker(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    body = await genuine(portal)
    return forged(body, access_token=MADE_UP, server_endpoint=f"{attacker.url}rest/")


async def all_addresses_of_the_attacker(
    _: Sandbox, portal: LivePortal, attacker: Attacker
) -> bytes:
    return forged(
        await genuine(portal),
        access_token=MADE_UP,
        server_endpoint=f"{attacker.url}rest/",
        client_endpoint=f"{attacker.url}rest/",
        domain="attacker.example",
    )


async def endpoint_of_the_attacker(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    return forged(await genuine(portal), client_endpoint=f"{attacker.url}rest/")


async def another_application(sandbox: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    return await genuine(portal, sandbox.add_application())


async def token_of_another_application(
    sandbox: Sandbox, portal: LivePortal, attacker: Attacker
) -> bytes:
    stolen = await genuine(portal, sandbox.add_application())
    return forged(stolen, application_token=portal.application_token)


async def token_of_another_portal(sandbox: Sandbox, portal: LivePortal, _: Attacker) -> bytes:
    await portal.install(None)
    stolen = await genuine(await sandbox.add_portal())
    return forged(stolen, member_id=portal.member_id)


async def another_user(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    return forged(await genuine(portal), user_id="99")


async def token_that_has_expired(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    body = await genuine(portal)
    portal.expire_tokens()
    return body


async def portal_that_has_uninstalled(_: Sandbox, portal: LivePortal, attacker: Attacker) -> bytes:
    body = await genuine(portal)
    await portal.uninstall(clean=False)
    return body


async def application_that_is_not_installed_yet(
    _: Sandbox, portal: LivePortal, attacker: Attacker
) -> bytes:
    body = await genuine(portal)
    await portal.install(None)  # again, with a page that nobody has finished
    return body


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (token_that_is_made_up, "token_rejected"),
        (server_of_the_attacker, "token_rejected"),
        (all_addresses_of_the_attacker, "token_rejected"),
        (endpoint_of_the_attacker, "other_endpoint"),
        (another_application, "other_application"),
        (token_of_another_application, "other_application"),
        (token_of_another_portal, "other_portal"),
        (another_user, "other_user"),
        (token_that_has_expired, "token_rejected"),
        (portal_that_has_uninstalled, "token_rejected"),
        (application_that_is_not_installed_yet, "not_installed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_forged_installation_registers_nothing_and_asks_the_right_server_only(
    sandbox: Sandbox,
    portal: LivePortal,
    attacker: Attacker,
    gateway: Gateway,
    redis: Redis,
    forge: Forge,
    why: str,
) -> None:
    body = await forge(sandbox, portal, attacker)

    with capture_logs() as logs:
        answered = await post(gateway.url, body)

    assert answered == await post(gateway.url, forged(body, application_token="fake-unknown"))
    assert (answered.status, answered.body) == (403, "forbidden")
    assert [line["why"] for line in logs if line["event"] == "delivery forbidden"] == [why]
    assert await nothing_is_left(gateway, redis)
    assert {call.method for call in sandbox.authorization.calls} == {"app.info"}
    assert portal.calls == []


async def test_a_domain_of_the_attacker_is_ignored(
    portal: LivePortal, attacker: Attacker, gateway: Gateway
) -> None:
    body = forged(await genuine(portal), domain=attacker.url.split("/")[2])

    assert (await post(gateway.url, body)).status == 200

    assert (await gateway.facts.of(portal.member_id)).domain == portal.domain
    (registration,) = (await gateway.registry.read()).registrations
    assert registration.domain == portal.domain
    (event,) = await gateway.events()
    assert event.data.domain == portal.domain  # type: ignore[union-attr]


def redirecting(attacker: Attacker) -> web.Response:
    return web.Response(status=307, headers={"Location": f"{attacker.url}rest/app.info"})


@pytest.mark.parametrize(
    "answer",
    [
        redirecting,
        lambda _: web.Response(text="<html>Sorry</html>", content_type="text/html"),
        lambda _: web.Response(status=502, text="<html>Bad gateway</html>"),
        lambda _: web.json_response({"result": {"padding": "x" * 100_000}}),
        lambda _: web.json_response([]),
        lambda _: web.json_response({"result": {"client_id": "x"}}),
        lambda _: web.json_response({"error": "INTERNAL_SERVER_ERROR"}, status=500),
        lambda _: web.Response(body=b"\xff\x00"),
    ],
    ids=["redirect", "html", "bad-gateway", "oversized", "list", "half", "error", "bytes"],
)
async def test_an_answer_that_confirms_nothing_registers_nothing_and_is_asked_for_again(
    sandbox: Sandbox,
    portal: LivePortal,
    attacker: Attacker,
    gateway: Gateway,
    redis: Redis,
    answer: Callable[[Attacker], web.Response],
) -> None:
    async def mood(_request: web.Request, _parameters: Any) -> web.Response:
        return answer(attacker)

    body = await genuine(portal)
    sandbox.authorization.faults.mood = mood

    answered = await post(gateway.url, body)

    assert (answered.status, answered.body) == (503, "unavailable")
    assert "Retry-After" in answered.headers
    assert len(gateway.waiting()) == 1
    assert await nothing_is_left(gateway, redis, but_waiting=True)

    sandbox.authorization.faults.clear()
    await gateway.lifecycle.resume("install")

    assert await gateway.registered() == [portal.member_id]
    assert gateway.waiting() == []
