"""`gateway portals check`, as operators call it."""

import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.inbound.delivery import Delivery
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.gaps import gaps_of
from gateway.portal_health.troubles import Troubles
from gateway.portals.application_tokens import digest_of
from gateway.portals.quarantine import Quarantine, sealed
from gateway.publishing.publish_once import OncePublisher
from gateway.reconciler.process import lease_key
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import PortalSettings, Settings
from gateway.vault.encryption import Vault
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.commanding import Command, command
from tests.integration.portal_health.seeding import count, known_for_weeks

__all__ = ["command"]


@pytest.fixture
async def cared_for(redis: Redis, settings: Settings) -> None:
    """As if a process of `gateway reconcile` led."""
    await redis.set(lease_key(settings), "somebody")


@pytest.mark.usefixtures("cared_for")
async def test_a_portal_that_is_well_is_a_row_of_cells_and_exit_code_0(
    command: Command, settings: Settings, redis: Redis, installed: LivePortal
) -> None:
    now = time.time()
    await known_for_weeks(redis, installed.member_id, now=now)
    await count(redis, {installed.member_id: 3}, first=now - 120, last=now - 119)

    shown = await command(settings, "check")

    assert (shown.code, shown.err) == (0, "")
    head, row = shown.out.splitlines()
    assert head.split()[:3] == ["PORTAL", "MEMBER", "ID"]
    for cell in (
        *(installed.domain, installed.member_id, "ok (application)", "10/10", "2 min ago"),
        *("60/h", "yes", "well"),
    ):
        assert f" {cell} " in f" {row} ", cell


@pytest.mark.usefixtures("cared_for")
async def test_faults_are_cells_with_what_to_do_and_no_trace(
    command: Command,
    settings: Settings,
    gateway: Gateway,
    installed: LivePortal,
    sandbox: Sandbox,
) -> None:
    installed.forget_bindings()
    down = await sandbox.add_portal()
    down.faults.is_down = True
    with_webhook = PortalSettings(
        member_id=down.member_id,
        domain="down.example",
        application_tokens=("fake",),
        rest_webhook=down.webhook_url,
    )
    silent = PortalSettings(
        member_id="m1", domain="uncalled.example", application_tokens=("fake", "fake2")
    )
    await gateway.facts.learn("m2", domain="gone.example", erasure_due_since=datetime.now(UTC))
    registered = replace(settings, portals=(with_webhook, silent))

    shown = await command(registered, "check")

    assert shown.code == 1
    rows = {line.split()[0]: line for line in shown.out.splitlines() if line and line[0] != " "}
    assert "ok (application)" in rows[installed.domain]
    assert "0/10" in rows[installed.domain]
    assert "no answer" in rows["down.example"]
    assert "not called" in rows["uncalled.example"]
    assert "1 to mend" in rows["gone.example"]
    assert "  not bound: ONCRMTIMELINECOMMENTADD" in shown.out
    assert "-> see that `gateway reconcile` runs" in shown.out
    assert "-> try again later" in shown.out
    assert rows["uncalled.example"].split()[2] == "2"  # tokens
    assert rows["uncalled.example"].endswith("well")
    for secret in (down.webhook_code, installed.application_token):
        assert secret not in shown.out + shown.err


async def test_nobody_who_looks_after_portals_is_a_fault_too(
    command: Command, settings: Settings, installed: LivePortal
) -> None:
    shown = await command(settings, "check")

    assert shown.code == 1
    assert shown.out.endswith("no process of `gateway reconcile` runs\n")
    assert "well" not in shown.out
    assert " not looked after" in shown.out


@pytest.mark.usefixtures("cared_for")
async def test_what_the_gateway_told_and_keeps_is_shown(
    command: Command, settings: Settings, redis: Redis, gateway: Gateway, installed: LivePortal
) -> None:
    member_id, now = installed.member_id, time.time()
    sink = OncePublisher(settings.redis, settings.publish)
    silence = PortalData(
        member_id=member_id, domain="x", trouble="silent", since="2026-03-02T08:00:00Z"
    )
    await Troubles(redis, sink, prefix="b24", clock=time.time_ns).began(silence)
    await sink.close()
    await GapBook(redis, prefix="b24").note(
        member_id, "p", gaps_of([now - 60, now - 61, now - 30 * 86400], "queue")
    )
    vault = Vault.of(settings.vault)
    assert vault is not None
    delivery = Delivery(member_id, "r1", int(now * 1000), b"event=x")
    quarantine = Quarantine(redis, settings.quarantine, prefix="b24")
    await quarantine.keep([sealed(delivery, digest_of("other"), vault)], now_ms=int(now * 1000))

    (found,) = (await command(settings, "check", "--json", "--portal", installed.domain)).objects

    assert (found["endpoint"], found["access"]) == (installed.endpoint, "application")
    assert (found["bound"], found["missing"], found["queue"]) == (10, [], 0)
    assert found["troubles"] == {"silent": "2026-03-02T08:00:00Z"}
    assert (found["missed_in_7_days"], found["quarantined"]) == (2, 1)
    assert [fault["what"].split()[0] for fault in found["faults"]] == ["silent", "1"]


async def test_a_portal_that_is_not_registered_is_said_in_one_line(
    command: Command, settings: Settings
) -> None:
    told = await command(settings, "check", "--portal", "nobody.example")

    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("gateway: --portal nobody.example: not registered")
