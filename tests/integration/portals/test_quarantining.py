"""Deliveries are put in quarantine beside the answers: bounded, counted, and never in the way."""

from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission
from gateway.local.redis_server import RedisServer
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.portals.quarantine import opened, sealed
from gateway.redis_access import connections
from gateway.web import quarantining
from gateway.web.quarantining import Quarantining
from tests.integration.portals.sealed_deliveries import (
    BODY,
    MEMBER,
    OLD_TOKEN,
    VAULT,
    delivery,
    quarantine_of,
    receipt_ids,
)
from tests.support.eventually import eventually

PORTALS = Directory(
    [
        Portal(member_id=name, domain="acme.bitrix24.com", digests=(digest_of("fake-new"),))
        for name in (MEMBER, "other")
    ]
)
ADMISSION = Admission(PORTALS, EventSubscription())


def counted(result: str) -> float:
    name = "b24gw_quarantine_deliveries_total"
    return REGISTRY.get_sample_value(name, {"result": result}) or 0.0


@pytest.fixture
async def started(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quarantining]:
    monkeypatch.setattr(quarantining, "_REST_S", 0.01)
    intake = Quarantining(quarantine_of(redis), VAULT, ADMISSION)
    intake.start()
    yield intake
    await intake.close()


async def until_counted(result: str, count: float) -> None:
    await eventually(lambda: counted(result) >= count)


async def test_what_is_offered_is_kept_under_its_receipt_id(
    redis: Redis, started: Quarantining
) -> None:
    before = counted("kept")
    for number in range(250):
        started.offer(delivery(number, member_id=MEMBER if number < 150 else "other"))

    await until_counted("kept", before + 250)

    kept = await quarantine_of(redis).of(MEMBER)
    assert [opened(one, VAULT) for one in kept] == [delivery(number) for number in range(150)]
    assert {one.digest for one in kept} == {digest_of(OLD_TOKEN)}


async def test_how_much_is_kept_is_shown_from_the_start_on_and_when_it_becomes_less(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantining, "_MEASURE_S", 0.05)
    quarantine = quarantine_of(redis)
    one = sealed(delivery(), digest_of(OLD_TOKEN), VAULT)
    now_ms = delivery().received_ms
    await quarantine.keep([one], now_ms=now_ms)
    intake = Quarantining(quarantine, VAULT, ADMISSION)
    monkeypatch.setattr(quarantining, "time_ns", lambda: now_ms * 1_000_000)
    intake.start()
    try:
        await eventually(lambda: shown_bytes() > 0)

        await quarantine.remove([one])

        await eventually(lambda: shown_bytes() == 0)
    finally:
        await intake.close()


def shown_bytes() -> float:
    return REGISTRY.get_sample_value("b24gw_quarantine_bytes") or 0.0


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda body: body + b"&x=" + b"y" * 8192, "too_large"),
        (lambda body: body.replace(b"COMMENTUPDATE", b"DEALUPDATE"), "no_event"),
        (lambda body: body.replace(b"=999", b"=abc"), "no_event"),
        (lambda body: b"%zz", "no_event"),
    ],
)
async def test_what_would_be_no_event_is_not_kept(
    redis: Redis, started: Quarantining, change: Callable[[bytes], bytes], result: str
) -> None:
    before = counted(result)

    started.offer(delivery(body=change(BODY)))

    await until_counted(result, before + 1)
    assert await redis.keys("*") == []


async def test_a_flood_waits_in_bounded_memory_and_does_not_hold_up_another_portal(
    redis: Redis,
) -> None:
    intake = Quarantining(quarantine_of(redis), VAULT, ADMISSION)
    busy, kept = counted("busy"), counted("kept")
    for number in range(1000):
        intake.offer(delivery(number))
    intake.offer(delivery(7, member_id="other", body=BODY.replace(MEMBER.encode(), b"other")))

    assert counted("busy") == busy + 800
    intake.start()
    await until_counted("kept", kept + 100)  # the first round
    assert len(await receipt_ids(quarantine_of(redis), "other")) == 1
    assert len(await receipt_ids(quarantine_of(redis))) == 99
    await intake.close()
    assert len(await receipt_ids(quarantine_of(redis))) == 200


async def test_while_redis_is_away_nothing_is_kept_and_that_is_counted(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connections.control(own_server.url, timeout_s=0.5) as client:
        intake = Quarantining(quarantine_of(client), VAULT, ADMISSION)
        intake.start()
        own_server.kill()
        away = counted("away")

        intake.offer(delivery(1))

        await until_counted("away", away + 1)
        await intake.close()


async def test_what_waits_of_all_portals_is_bounded_too(redis: Redis) -> None:
    members = [f"m{number}" for number in range(12)]
    portals = Directory(
        [Portal(member_id=one, domain="x", digests=(digest_of("fake-new"),)) for one in members]
    )
    intake = Quarantining(quarantine_of(redis), VAULT, Admission(portals, EventSubscription()))
    busy, body = counted("busy"), BODY + b"&x=" + b"y" * 7000

    for one in members:
        for number in range(200):
            intake.offer(delivery(number, member_id=one, body=body))

    assert 0 < counted("busy") - busy < 300
