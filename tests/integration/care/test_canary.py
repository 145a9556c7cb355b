"""A canary's way from the portal to every group, and what is said where it ends.

Portal, receiver, enricher, audit log and notifier are real; the command is a process.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import AppEvent, decode_event
from gateway.local.plan import environment
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Notifier, PortalSettings, Settings
from tests.integration.care.commanding import Command, command
from tests.integration.consumers.running import service, until
from tests.integration.installation.running import Gateway

__all__ = ["command"]

GROUPS = {"audit": "events", "enricher": "events", "notifier": "comments"}


@pytest.fixture
def consumers(redis_url: str, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The audit log, the enricher, and a notifier that reads what the enricher writes."""
    known = environment(Settings(), replace(settings, notifier=Notifier(stream="comments")))
    del known["GATEWAY_REDIS_URL"]
    with ExitStack() as stack:
        for name in GROUPS:
            directory = tmp_path / name
            directory.mkdir()
            started = known | {"GATEWAY_AUDIT_DIR": str(directory)}
            stack.enter_context(service(redis_url, directory, name=name, **started))
        yield


async def are_reading(redis: Redis) -> bool:
    """Whether every group has a process that owns it."""
    try:
        for group, stream in GROUPS.items():
            rows: Any = await redis.xinfo_groups(f"b24:{stream}:{{0}}")
            is_owned = await redis.exists(f"b24:lease:{group}:{{0}}")
            if not is_owned or group.encode() not in {row["name"] for row in rows}:
                return False
    except ResponseError:
        return False
    return True


@pytest.mark.usefixtures("consumers", "gateway")
async def test_a_canary_is_measured_to_every_consumer_and_consumes_nothing(
    command: Command, settings: Settings, redis: Redis, installed: LivePortal
) -> None:
    await until(lambda: are_reading(redis))

    told = await command(settings, "canary", "--json")

    assert (told.code, told.err) == (0, "")
    ms = {row["step"]: row["ms"] for row in told.objects}
    assert list(ms) == [
        *("portal", "events", "events: audit", "events: enricher"),
        *("comments", "comments: notifier"),
    ]
    assert 0 < ms["portal"] < ms["comments"] <= ms["comments: notifier"] < 10_000
    assert ms["events"] <= ms["events: audit"]
    assert {row["portal"] for row in told.objects} == {installed.domain}
    for stream in ("events", "comments"):
        entries: Any = await redis.xrange(f"b24:{stream}:{{0}}")
        event = decode_event(entries[-1][1][b"event"])
        assert isinstance(event, AppEvent)
        assert str(event.data.test).startswith("canary-")
    groups = {row["name"].decode() for row in await redis.xinfo_groups("b24:events:{0}")}
    assert groups == {"audit", "enricher"}


async def test_a_group_that_nobody_works_for_is_named(
    command: Command, settings: Settings, redis: Redis, installed: LivePortal
) -> None:
    await redis.xgroup_create("b24:events:{0}", "audit", "0", mkstream=True)

    told = await command(settings, "canary", "--timeout", "1")

    assert told.code == 1
    assert "the group audit has not acknowledged the event on `events`" in told.err
    assert "no process works for it" in told.err
    rows = [line.split() for line in told.out.splitlines()]
    assert rows[0] == ["PORTAL", "STEP", "MS"]
    assert rows[-1] == [installed.domain, "events:", "audit", "-"]


async def test_a_portal_whose_events_are_lost_is_told_from_one_that_refuses(
    command: Command, settings: Settings, installed: LivePortal
) -> None:
    installed.faults.loses_events = True
    lost = await command(settings, "canary", "--timeout", "1")
    assert lost.code == 1
    assert f"{installed.domain}: the portal was asked, and nothing came" in lost.err

    installed.faults.clear()
    installed.faults.wrong_licence()
    refused = await command(settings, "canary", "--timeout", "1")
    assert refused.code == 1
    assert f"{installed.domain}: the portal sends no test event: " in refused.err


async def test_a_portal_without_the_application_is_said_what_else_to_do(
    command: Command, settings: Settings, gateway: Gateway, portal: LivePortal
) -> None:
    by_webhook = PortalSettings(
        member_id=portal.member_id,
        domain=portal.domain,
        application_tokens=("fake",),
        rest_webhook=portal.webhook_url,
    )

    told = await command(replace(settings, portals=(by_webhook,)), "canary")

    assert told.code == 1
    assert "change a comment in the portal, and watch `gateway tail`" in told.err
    assert portal.calls == []
