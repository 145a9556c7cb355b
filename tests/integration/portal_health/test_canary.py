"""A canary's way from the portal to every group, and what is said where it ends.

Portal, receiver, enricher, audit log and notifier are real; the command is a process.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import time_ns
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import AppEvent, PortalData, PortalEvent, decode_event
from gateway.local.process_plan import environment
from gateway.portal_health.troubles import Troubles
from gateway.publishing.publish_once import OncePublisher
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import NotifierSettings, PortalSettings, Settings
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.commanding import Command, command
from tests.integration.runtime.running import settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually

__all__ = ["command"]

GROUPS = {"audit": "events", "enricher": "events", "notifier": "comments"}


@pytest.fixture
def consumers(redis_url: str, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The audit log, the enricher, and a notifier that reads what the enricher writes."""
    known = environment(Settings(), replace(settings, notifier=NotifierSettings(stream="comments")))
    del known["GATEWAY_REDIS_URL"]
    with ExitStack() as stack:
        for name in GROUPS:
            directory = tmp_path / name
            directory.mkdir()
            started = known | {"GATEWAY_AUDIT_DIR": str(directory)}
            stack.enter_context(service(redis_url, directory, name=name, **started))
        yield


async def entries(redis: Redis, stream: str) -> list[Any]:
    found: Any = await redis.xrange(f"b24:{stream}:{{0}}")
    return list(found)


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
    await eventually(lambda: are_reading(redis))

    told = await command(settings, "canary", "--timeout", "60", "--json")

    assert (told.code, told.err) == (0, "")
    ms = {row["step"]: row["ms"] for row in told.objects}
    assert list(ms) == [
        *("portal", "events", "events: audit", "events: enricher"),
        *("comments", "comments: notifier"),
    ]
    assert 0 < ms["portal"] < ms["comments"] <= ms["comments: notifier"] < 60_000
    assert ms["events"] <= ms["events: audit"]
    assert {row["portal"] for row in told.objects} == {installed.domain}
    for stream in ("events", "comments"):
        event = decode_event((await entries(redis, stream))[-1][1][b"event"])
        assert isinstance(event, AppEvent)
        assert str(event.data.test).startswith("canary-")
    groups = {row["name"].decode() for row in await redis.xinfo_groups("b24:events:{0}")}
    assert groups == {"audit", "enricher"}


@pytest.mark.usefixtures("consumers")
async def test_a_trouble_passes_every_consumer_on_the_way_to_the_notifier(
    settings: Settings, redis: Redis
) -> None:
    await eventually(lambda: are_reading(redis))
    sink = OncePublisher(settings.redis, settings.publish)
    trouble = PortalData(
        member_id="m1", domain="m1.example", trouble="silent", since="2026-03-02T08:00:00Z"
    )
    await Troubles(redis, sink, prefix="b24", clock=time_ns).began(trouble)
    await sink.close()

    async def is_through() -> bool:
        streams = [("events", "audit"), ("events", "enricher"), ("comments", "notifier")]
        return all([await settled(redis, f"b24:{name}:{{0}}", group) for name, group in streams])

    await eventually(is_through)
    ((_, on_events),) = await entries(redis, "events")
    ((_, on_comments),) = await entries(redis, "comments")
    assert on_comments == on_events
    event = decode_event(on_comments[b"event"])
    assert isinstance(event, PortalEvent)
    assert event.data == trouble
    assert [key for key in await redis.keys("b24:dead:*") if await redis.xlen(key)] == []


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


async def test_settings_that_name_no_application_are_said_to(
    command: Command, settings: Settings
) -> None:
    told = await command(
        replace(settings, bitrix24=replace(settings.bitrix24, client_id="")), "canary"
    )

    assert told.code == 2
    assert "[bitrix24] client_id" in told.err
