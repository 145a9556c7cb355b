"""Deliveries with a wrong token: kept within bounds, and readable with the key only."""

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway import settings
from gateway.local.redis_server import RedisServer
from gateway.portals.application_tokens import digest_of
from gateway.portals.quarantine import Quarantine, Sealed, opened, sealed
from gateway.redis_access import connections
from gateway.vault.encryption import Unreadable, Vault
from tests.integration.portals.sealed_deliveries import (
    KEY,
    MEMBER,
    NOW_MS,
    OLD_TOKEN,
    VAULT,
    delivery,
    quarantine_of,
    receipt_ids,
    vault_of,
)


def sealed_one(number: int, token: str = "fake-a", at_ms: int = NOW_MS) -> Sealed:
    return sealed(delivery(number, at_ms=at_ms), digest_of(token), VAULT)


async def test_what_is_kept_can_be_read_with_the_key_and_not_without(redis: Redis) -> None:
    quarantine = quarantine_of(redis)

    assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["kept"]

    (kept,) = await quarantine.of(MEMBER)
    assert opened(kept, VAULT) == delivery(1)
    assert opened(kept, vault_of(Fernet.generate_key().decode(), KEY)) == delivery(1)
    with pytest.raises(Unreadable):
        opened(kept, vault_of(Fernet.generate_key().decode()))
    for key in await redis.keys("*"):
        raw = await redis.dump(key)
        assert raw is not None
        assert OLD_TOKEN.encode() not in raw


async def test_a_delivery_that_was_moved_to_another_name_is_not_believed(redis: Redis) -> None:
    one, other = sealed_one(1), sealed_one(2)

    with pytest.raises(Unreadable):
        opened(
            Sealed(one.member_id, one.receipt_id, one.received_ms, one.digest, other.secret), VAULT
        )


async def test_a_token_has_half_of_the_places(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_deliveries=4)

    verdicts = await quarantine.keep(
        [sealed_one(number, "fake-flood") for number in range(1, 5)], now_ms=NOW_MS
    )

    assert verdicts == ["kept", "kept", "token_full", "token_full"]
    assert await receipt_ids(quarantine) == [f"receipt-00000{n}" for n in (1, 2)]


async def test_one_token_that_comes_again_prevails_over_many_that_come_once(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_deliveries=100)
    forged = [sealed_one(number, f"fake-{number}") for number in range(100)]
    assert set(await quarantine.keep(forged, now_ms=NOW_MS)) == {"kept"}

    changed = [sealed_one(1000 + number, "fake-changed") for number in range(10)]
    assert await quarantine.keep(changed, now_ms=NOW_MS) == ["took_place"] * 10
    more = [sealed_one(2000 + number, f"fake-more-{number}") for number in range(200)]
    await quarantine.keep(more, now_ms=NOW_MS)

    kept = await quarantine.of(MEMBER)
    assert len(kept) == 100
    assert [one.receipt_id for one in changed] == [
        one.receipt_id for one in kept if one.digest == digest_of("fake-changed")
    ]


async def test_a_token_that_comes_again_and_again_prevails_over_those_that_came_twice(
    redis: Redis,
) -> None:
    quarantine = quarantine_of(redis, max_deliveries=20)
    forged = [sealed_one(number, f"fake-{number % 10}") for number in range(20)]
    await quarantine.keep(forged, now_ms=NOW_MS)

    changed = [sealed_one(100 + number, "fake-changed") for number in range(4)]

    assert await quarantine.keep(changed, now_ms=NOW_MS) == ["full", *["took_place"] * 3]


async def test_nothing_pushes_out_what_has_come_ten_times(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_deliveries=20)
    changed = [sealed_one(number, "fake-changed") for number in range(10)]
    await quarantine.keep(changed, now_ms=NOW_MS)

    for number in range(100, 160):
        await quarantine.keep([sealed_one(number, f"fake-{number % 3}")], now_ms=NOW_MS)

    kept = await receipt_ids(quarantine)
    assert kept[:10] == [one.receipt_id for one in changed]
    assert len(kept) == 20


async def test_all_portals_together_have_a_bound(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_bytes=1 << 20, max_deliveries=100_000)
    big = Vault.of(settings.VaultSettings(keys=(KEY,)))
    assert big is not None
    verdicts: set[str] = set()
    number = 0
    while "took_place" not in verdicts and number < 2000:
        ones = [
            sealed(
                delivery(number + more, member_id=f"m{more}", body=b"x" * 2048),
                digest_of(f"fake-{number}"),
                big,
            )
            for more in range(50)
        ]
        number += 50
        verdicts.update(await quarantine.keep(ones, now_ms=NOW_MS))

    assert verdicts == {"kept", "took_place"}
    assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["total_full"]
    assert (1 << 20) <= await quarantine.bytes(now_ms=NOW_MS) < (1 << 20) + 50 * 4096
    taken = sum([await redis.memory_usage(key) or 0 for key in await redis.keys("b24:*")])
    assert taken < 1.5 * (1 << 20)

    changed = sealed(delivery(9999, member_id="m1"), digest_of("fake-changed"), big)
    assert await quarantine.keep([changed], now_ms=NOW_MS) == ["took_place"]
    for more in range(50):
        await quarantine.remove(await quarantine.of(f"m{more}"))
    assert await quarantine.bytes(now_ms=NOW_MS) == 0
    assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["kept"]


async def test_what_has_expired_is_counted_no_more(redis: Redis) -> None:
    quarantine = quarantine_of(redis, kept_s=60)
    await quarantine.keep([sealed_one(1)], now_ms=NOW_MS)
    assert await quarantine.bytes(now_ms=NOW_MS) > 0

    assert await quarantine.bytes(now_ms=NOW_MS + 75_000) == 0


async def test_it_takes_nothing_long_before_events_would_have_to_wait_for_memory(
    own_server: RedisServer,
) -> None:
    async with connections.control(own_server.url) as client:
        quarantine = Quarantine(
            client, settings.QuarantineSettings(), prefix="b24", max_memory_share=0.9
        )
        used = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory", int(used / 0.7))

        assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["no_memory"]

        await client.config_set("maxmemory", used * 10)
        assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["kept"]


async def test_keeping_is_repeatable(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_deliveries=2)

    for _ in range(3):
        assert await quarantine.keep([sealed_one(1)], now_ms=NOW_MS) == ["kept"]

    assert len(await receipt_ids(quarantine)) == 1


async def test_places_of_the_expired_and_of_the_removed_are_free_again(redis: Redis) -> None:
    quarantine = quarantine_of(redis, max_deliveries=2, kept_s=60)
    await quarantine.keep([sealed_one(1, "fake-a"), sealed_one(2, "fake-b")], now_ms=NOW_MS)

    later_ms = NOW_MS + 61_000
    again = [sealed_one(3, "fake-a", later_ms), sealed_one(4, "fake-b", later_ms)]
    assert await quarantine.keep(again, now_ms=later_ms) == ["kept", "kept"]

    await quarantine.remove(again[:1])
    assert await receipt_ids(quarantine) == ["receipt-000004"]
    assert await quarantine.keep(again[:1], now_ms=later_ms) == ["kept"]


async def test_everything_expires_by_itself(redis: Redis) -> None:
    await quarantine_of(redis, kept_s=60).keep([sealed_one(1)], now_ms=NOW_MS)

    keys = await redis.keys("*")
    assert len(keys) == 7
    for key in keys:
        assert 0 < await redis.pttl(key) <= 60_000 * 9 / 8
