"""What portals keep in Redis works on a cluster, too, where keys lie on several nodes."""

from datetime import UTC, datetime
from time import time_ns

from cryptography.fernet import Fernet

from gateway import settings
from gateway.contract import PortalData
from gateway.inbound.delivery import Delivery
from gateway.portal_health.silence_rule import first_heard
from gateway.portal_health.silence_watch import silence_states
from gateway.portal_health.troubled_portals import list_troubled, troubles_of_portals
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory
from gateway.portals.quarantine import Quarantine, opened, sealed
from gateway.portals.registry import Registry, portals_among
from gateway.redis_access import connections
from gateway.traffic.portal_traffic import Traffic, slot_at
from gateway.traffic.rate_watch import RateWatch
from gateway.vault.encryption import Vault
from tests.support.portal_trouble import note_trouble

NAMES = [f"m{number}" for number in range(8)]
SINCE = "2026-01-31T12:00:00Z"


async def test_portals_are_registered_and_removed_on_a_cluster(cluster_url: str) -> None:
    async with connections.control(cluster_url) as client:
        registry = Registry(client, prefix="b24")
        for name in NAMES:
            await registry.add(name, "d.example", digest_of("fake"), now=datetime.now(UTC))

        reading = await registry.read()
        assert [portal.member_id for portal in portals_among(reading.registrations)] == NAMES
        assert reading.version == await registry.version()

        await registry.remove(reading.registrations)
        assert (await registry.read()).registrations == ()


async def test_deliveries_are_quarantined_on_a_cluster(cluster_url: str) -> None:
    vault = Vault.of(settings.VaultSettings(keys=(Fernet.generate_key().decode(),)))
    assert vault is not None
    now_ms = time_ns() // 1_000_000
    deliveries = [Delivery(name, f"receipt-{name}", now_ms, b"body") for name in NAMES]
    async with connections.control(cluster_url) as client:
        quarantine = Quarantine(client, settings.QuarantineSettings(), prefix="b24")
        to_keep = [sealed(one, digest_of("fake"), vault) for one in deliveries]

        assert await quarantine.keep(to_keep, now_ms=now_ms) == ["kept"] * len(NAMES)

        kept = [one for name in NAMES for one in await quarantine.of(name)]
        assert [opened(one, vault) for one in kept] == deliveries
        assert await quarantine.holder_of("receipt-m3") == "m3"
        assert await quarantine.holder_of("receipt-nobody") is None
        await quarantine.remove(kept)
        assert [await quarantine.of(name) for name in NAMES] == [[]] * len(NAMES)


async def test_portals_in_trouble_are_listed_on_a_cluster(cluster_url: str) -> None:
    async with connections.control(cluster_url) as client:
        troubles = [
            PortalData(
                member_id=name,
                domain=f"{name}.example",
                trouble="silent",
                since="2026-01-31T12:00:00Z",
            )
            for name in NAMES
        ]
        for trouble in troubles:
            await note_trouble(client, trouble)
        await list_troubled(client, NAMES, prefix="b24")

        assert await troubles_of_portals(client, NAMES, prefix="b24") == troubles


async def test_what_portals_send_is_counted_and_learnt_on_a_cluster(cluster_url: str) -> None:
    now = 1_766_059_200.0
    async with connections.control(cluster_url) as client:
        watch = RateWatch(client, Directory(), prefix="b24", limit=0)
        for minute in range(40):
            watch.counts.update(dict.fromkeys(NAMES, 1))
            await watch.measure(now + 60 * minute)
        traffic, memory = Traffic(client, prefix="b24"), silence_states(client, prefix="b24")
        for name in NAMES:
            slots = await traffic.slots(name, slot_at(now), slot_at(now) + 3)
            assert [slot.events for slot in slots] == [10, 10, 10, 10]
            assert await traffic.last_event_at(name) == now + 39 * 60
            before = await memory.read(name)
            assert await memory.swap(name, before, first_heard(now))
            assert not await memory.swap(name, before, first_heard(now + 600))
            assert (await memory.read(name)).value == first_heard(now)
