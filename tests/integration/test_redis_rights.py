"""Users of Redis with just the rights that are documented, and with one too few."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway import settings
from gateway.contract import Streams
from gateway.drill.delivery_load import DeliveryLoad, request_of
from gateway.inbound.delivery import Delivery
from gateway.portals.application_tokens import digest_of
from gateway.portals.quarantine import Quarantine, sealed
from gateway.portals.registry import Registry
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access import connections
from gateway.redis_access.leases import Leases
from gateway.retention.keeper import Retention
from gateway.sandbox.portal import SANDBOX
from gateway.vault.encryption import Vault
from tests.support.connections import connected
from tests.support.eventually import eventually
from tests.support.receiver_process import receiving
from tests.support.redis_users import denied, rights_of

MEMBER = "0123456789abcdef0123456789abcdef"
VAULT_KEY = "ZmFrZS1rZXktZmFrZS1rZXktZmFrZS1rZXktZmFrZSE="
STREAMS = Streams()
EVENTS = STREAMS.key("events", 0)


@pytest.mark.parametrize("missing", ["set", "xadd", "expire"])
async def test_a_receiver_with_a_right_too_few_doubles_nothing(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path, missing: str
) -> None:
    await users("~*", "+@all", f"-{missing}")
    async with receiving(tmp_path, limited_url) as receiver:
        async with DeliveryLoad([receiver.port], rate=20, senders=3) as load:
            await load.until_answered_from("spool", timeout_s=10)
        accepted = len(load.deliveries)
        await eventually(lambda: "the spool waits for redis" in receiver.log)
        assert await redis.xlen(EVENTS) == 0

        await users("~*", "+@all")

        async def is_drained() -> bool:
            return await redis.xlen(EVENTS) == accepted

        await eventually(is_drained)
    assert await redis.xlen(EVENTS) == accepted
    assert f"this user may not {missing.upper()}" in receiver.log


@pytest.mark.parametrize("missing", ["xadd", "zadd", "pexpire"])
async def test_an_event_that_may_not_be_appended_is_not_taken_for_published(
    redis: Redis, users: Any, limited_url: str, missing: str
) -> None:
    await users("~*", "+@all", f"-{missing}")
    writer = stream_writer(settings.RedisSettings(url=limited_url), settings.PublishSettings(), 0)
    try:
        with pytest.raises(StreamUnavailable, match=f"may not {missing.upper()}"):
            await writer.write_once(STREAMS.recovered(0), [("an-id", b"{}")])
        await users("~*", "+@all")

        assert await writer.write_once(STREAMS.recovered(0), [("an-id", b"{}")]) == 1
    finally:
        await writer.close()
    assert await redis.xlen(EVENTS) == 1


@pytest.mark.parametrize("missing", ["set", "zadd", "pexpire"])
async def test_a_delivery_is_quarantined_as_a_whole_or_not_at_all(
    redis: Redis, users: Any, limited_url: str, missing: str
) -> None:
    await users("~*", "+@all", f"-{missing}")
    vault = Vault.of(settings.VaultSettings(keys=(VAULT_KEY,)))
    assert vault is not None
    one = sealed(Delivery("portal", "receipt", 1, b"a=1"), digest_of("fake"), vault)
    client = connections.control(limited_url)
    try:
        with pytest.raises(NoPermissionError):
            await Quarantine(client, settings.QuarantineSettings(), prefix="b24").keep(
                [one], now_ms=1
            )
    finally:
        await client.aclose()

    assert await redis.dbsize() == 0


async def test_what_may_not_be_booked_is_not_trimmed(
    redis: Redis, users: Any, limited_url: str
) -> None:
    for number in range(1, 300):
        await redis.xadd(EVENTS, {"event": b"x"}, id=f"{number}-0")
    await users("~*", "+@all", "-hincrby")
    client = connections.control(limited_url)
    try:
        assert await Leases(client, owner="x", life_ms=1).hold("b24:other")
        with pytest.raises(NoPermissionError):
            await Retention(client, STREAMS, settings.RetentionSettings()).look_once()
    finally:
        await client.aclose()

    assert await redis.xlen(EVENTS) == 299


async def test_portals_are_not_deleted_that_may_not_be_put_back(
    redis: Redis, users: Any, limited_url: str
) -> None:
    registry = Registry(redis, prefix="b24")
    await registry.add(MEMBER, "acme.example", digest_of("fake"), now=datetime.now(UTC))
    reading = await registry.read()
    await users("~*", "+@all", "-hset")
    client = connections.control(limited_url)
    try:
        with pytest.raises(NoPermissionError):
            await Registry(client, prefix="b24").put_back(reading)
    finally:
        await client.aclose()

    assert await registry.read() == reading


async def test_a_receiver_may_trim_what_others_write_and_not_append_to_it(
    redis: Redis, users: Any, limited_url: str
) -> None:
    others = (STREAMS.key("comments", 0), STREAMS.dead("index", 0))
    for key in others:
        for number in range(1, 300):
            await redis.xadd(key, {"event": b"x"}, id=f"{number}-0")
    await users(*rights_of("receiver"))
    client = connections.control(limited_url)
    try:
        await Retention(client, STREAMS, settings.RetentionSettings()).look_once()
        assert await denied(redis) == []
        assert await redis.xlen(others[0]) < 200  # whole nodes of the stream
        assert await redis.xlen(others[1]) == 0

        for key in others:
            with pytest.raises(NoPermissionError):
                await client.xadd(key, {"event": b"forged"})
    finally:
        await client.aclose()


async def send_with_a_wrong_token(port: int) -> None:
    request = request_of(1, 1_766_000_000)
    token = SANDBOX.application_token.encode()
    async with connected(port) as (reader, writer):
        writer.write(request.replace(token, b"f" * len(token)))
        await reader.readline()


async def test_the_documented_rights_of_the_receiver_suffice(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path
) -> None:
    """Publishing, spooling, draining, trimming by age and early, the quarantine, the rates."""
    for number in range(1, 300):
        await redis.xadd(EVENTS, {"event": b"x" * 4000}, id=f"{number}-0")
    await redis.xgroup_create(EVENTS, "audit", "$")
    await users(*rights_of("receiver"))
    async with receiving(
        tmp_path,
        limited_url,
        {
            "RETENTION_EVERY_S": "0.2",
            "VAULT_KEYS": VAULT_KEY,
        },
    ) as receiver:
        try:
            async with DeliveryLoad([receiver.port], rate=50) as load:
                await load.until_answered_from("stream", timeout_s=10)

                async def is_trimmed() -> bool:
                    return bool(await redis.hget(STREAMS.retention_books("events", 0), "own"))

                await eventually(is_trimmed)
                await send_with_a_wrong_token(receiver.port)

                async def is_quarantined() -> bool:
                    key = f"b24:quarantine:{{{SANDBOX.member_id}}}"
                    return await redis.zcard(key) == 1

                await eventually(is_quarantined)
                await eventually(lambda: redis.exists("b24:history"))
                await redis.config_set("maxmemory", 1)
                await load.until_answered_from("spool", timeout_s=10)
                await redis.config_set("maxmemory", 0)
                await load.until_answered_from("stream", timeout_s=10)
        finally:
            await redis.config_set("maxmemory", 0)

    assert await denied(redis) == []
    assert "NOPERM" not in receiver.log
