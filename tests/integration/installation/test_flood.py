"""A flood of forged installations loses no genuine one, and harms no registered portal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually

FORGERS = 16
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@asynccontextmanager
async def flood(url: str, body: bytes) -> AsyncIterator[None]:
    """So many clients that claim one installation after the other, as a proxy passes them on."""

    async def claim_on(forger: int) -> None:
        headers = FORM | {"X-Forwarded-For": f"192.0.2.{forger}"}
        async with aiohttp.ClientSession() as session:
            number = 0
            while True:
                number += 1
                changes = {
                    "member_id": f"{forger:016x}{number:016x}",
                    "access_token": f"fake{forger:028x}{number:032x}",
                }
                async with session.post(url, data=forged(body, **changes), headers=headers):
                    pass

    async with asyncio.TaskGroup() as group:
        forgers = [group.create_task(claim_on(one)) for one in range(FORGERS)]
        yield
        for one in forgers:
            one.cancel()


async def test_a_flood_of_forged_installations_loses_no_genuine_one(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.installation.lifecycle._AGAIN_S", 1.0)
    await portal.install(gateway.url)
    await portal.sent()
    newcomer = await sandbox.add_portal()
    claim = await genuine(newcomer)
    delivery = portal.deliveries[-1].body.replace(b"ONAPPINSTALL", b"ONAPPTEST")

    async with flood(gateway.url, claim):
        await eventually(lambda: len(gateway.waiting()) >= FORGERS * 3, timeout_s=30)
        await post(gateway.url, claim)
        answers, slowest_s = [], 0.0
        for _ in range(20):
            began = monotonic()
            answers.append((await post(gateway.url, delivery)).status)
            slowest_s = max(slowest_s, monotonic() - began)

        async def is_registered() -> bool:
            return newcomer.member_id in await gateway.registered()

        await eventually(is_registered, timeout_s=30)
        waiting = len(gateway.waiting())

    assert answers == [200] * 20
    assert slowest_s < 5
    assert waiting <= (FORGERS + 1) * 4


async def test_what_is_lost_is_told_with_what_to_do(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway
) -> None:
    body = await genuine(portal)
    sandbox.authorization.faults.page = 502
    for number in range(4):
        assert (await post(gateway.url, forged(body, access_token=f"fake{number}"))).status == 503
    asked = len(sandbox.authorization.calls)

    with capture_logs() as logs:
        assert (await post(gateway.url, body)).status == 503

    (line,) = [one for one in logs if "install the application again" in one["event"]]
    assert (line["log_level"], line["member_id"]) == ("error", portal.member_id)
    assert len(gateway.waiting()) == 4
    assert len(sandbox.authorization.calls) == asked
