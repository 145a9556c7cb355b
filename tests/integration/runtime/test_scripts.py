"""The scripts that may be carried out twice, and those that a former owner may not carry out."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from consumers.runtime.lua_scripts import LeaseNote, Scripts
from gateway.contract import DeadLetter, EventSubject, Streams, encode_event
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.erasing.entries import erase_entries
from gateway.erasing.subject import Subject
from gateway.ops.dead_letter_access import DeadLetterAddress, retry
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish

STREAMS = Streams()
KEY = STREAMS.key("events", 0)
DEAD = STREAMS.dead("index", 0)
LEASE = STREAMS.lease("index", 0)
BALANCE = "b24:balance:index:{0}"
BALANCE = "b24:balance:index:{0}"
FAILURES = STREAMS.failures("index", 0)
EVENT = comment_event(1)


@pytest.fixture
async def taken(redis: Redis) -> bytes:
    """The id of an entry that the group has pending."""
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)
    await publish(redis, KEY, [EVENT])
    page: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    entry_id: bytes = page[KEY.encode()][0][0]
    return entry_id


async def epoch_of(scripts: Scripts) -> int:
    acquired = await scripts.acquire(LEASE, "this process", ttl_ms=5000)
    assert acquired is not None
    return acquired.epoch


async def bury(scripts: Scripts, entry_id: bytes, epoch: int, *, max_count: int = 100) -> bool:
    letter = DeadLetter(
        event=encode_event(EVENT),
        group="index",
        stream="events",
        entry_id=entry_id.decode(),
        attempts=5,
        reason="failed",
        error="KeyError",
        failed_at="2026-01-01T00:00:00Z",
    )
    return await scripts.bury(
        (LEASE, KEY, DEAD, FAILURES, BALANCE),
        epoch=epoch,
        group="index",
        entry_id=entry_id,
        max_count=max_count,
        is_redelivery=False,
        fields=letter.fields(),
    )


@pytest.mark.parametrize("is_group_lost", [False, True])
async def test_a_dead_letter_whose_reply_was_lost_is_made_once(
    redis: Redis, taken: bytes, *, is_group_lost: bool
) -> None:
    scripts = Scripts(redis)
    epoch = await epoch_of(scripts)

    assert await bury(scripts, taken, epoch)
    if is_group_lost:
        await redis.xgroup_destroy(KEY, "index")
    assert await bury(scripts, taken, epoch)

    assert await redis.xlen(DEAD) == 1
    if not is_group_lost:
        assert (await redis.xpending(KEY, "index"))["pending"] == 0


async def test_a_former_owner_neither_acknowledges_nor_buries_nor_gives_back(
    redis: Redis, taken: bytes
) -> None:
    scripts = Scripts(redis)
    epoch = await epoch_of(scripts)
    await redis.hset(LEASE, "epoch", epoch + 1)

    assert not await bury(scripts, taken, epoch)
    assert not await scripts.ack(
        (LEASE, KEY, STREAMS.replay("index", 0), FAILURES, BALANCE),
        epoch=epoch,
        group="index",
        ids=[taken],
        redelivered_ids=[],
    )
    assert (
        await scripts.give_back(
            (LEASE, KEY), epoch=epoch, group="index", consumer="owner", deliveries=0, ids=[taken]
        )
        is None
    )
    (pending,) = await redis.xpending_range(KEY, "index", "-", "+", 10)
    assert (pending["message_id"], pending["times_delivered"]) == (taken, 1)
    assert await redis.xlen(DEAD) == 0


async def test_what_is_given_back_without_its_payload_is_named_but_for_what_was_erased(
    redis: Redis, taken: bytes
) -> None:
    scripts = Scripts(redis)
    epoch = await epoch_of(scripts)
    await publish(redis, KEY, [EVENT])
    page: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    kept = page[KEY.encode()][0][0]
    await redis.xdel(KEY, taken)
    await publish(redis, KEY, [comment_event(2)])
    page = await redis.xreadgroup("index", "owner", {KEY: ">"})
    erased = page[KEY.encode()][0][0]
    assert await erase_entries(
        redis, STREAMS, "events", Subject(member_id="portal", about=EventSubject.of_comment(2))
    )

    lost = await scripts.give_back(
        (LEASE, KEY),
        epoch=epoch,
        group="index",
        consumer="owner",
        deliveries=0,
        ids=[taken, kept, erased],
    )

    assert lost == [taken]
    (pending,) = await redis.xpending_range(KEY, "index", "-", "+", 10)
    assert (pending["message_id"], pending["times_delivered"]) == (kept, 0)


async def test_dead_letters_are_kept_within_bounds(redis: Redis) -> None:
    scripts = Scripts(redis)
    epoch = await epoch_of(scripts)
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)
    await publish(redis, KEY, [EVENT] * 500)
    page: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    for entry_id, _fields in page[KEY.encode()]:
        assert await bury(scripts, entry_id, epoch, max_count=50)

    letters: Any = await redis.xrange(DEAD)
    assert 50 <= len(letters) < 250  # whole nodes of the stream are freed
    assert letters[-1][1][b"entry_id"] == page[KEY.encode()][-1][0]


async def test_a_retry_that_is_repeated_gives_an_event_back_once(
    redis: Redis, taken: bytes
) -> None:
    scripts = Scripts(redis)
    await bury(scripts, taken, await epoch_of(scripts))
    ((letter_id, _fields),) = await redis.xrange(DEAD)  # type: ignore[misc]
    address = DeadLetterAddress(0, letter_id.decode())  # type: ignore[union-attr]

    assert await retry(redis, STREAMS, "index", [address]) == 1
    assert await retry(redis, STREAMS, "index", [address]) == 0

    assert await redis.xlen(STREAMS.replay("index", 0)) == 1


async def test_a_lost_reply_hides_nothing_of_what_was_erased_unread(
    redis: Redis, redis_url: str
) -> None:
    for key in (KEY, STREAMS.replay("index", 0)):
        await redis.xgroup_create(key, "index", "0", mkstream=True)
    await publish(redis, KEY, [EVENT, EVENT])
    await erase_entries(
        redis, STREAMS, "events", Subject(member_id="portal", about=EventSubject.of_comment(1))
    )
    port = urlsplit(redis_url).port
    assert port is not None

    async with LossyProxy(on_loopback(port)) as proxy, connections.control(proxy.url) as client:
        await client.ping()
        proxy.lose_replies(1)
        inspection = await Scripts(client).inspect(
            (KEY, STREAMS.replay("index", 0), DEAD, LEASE), group="index"
        )

    assert proxy.lost == 1
    assert inspection.erased_count == 2


async def test_how_much_was_told_of_as_erased_stays_for_the_next_owner(redis: Redis) -> None:
    scripts = Scripts(redis)
    epoch = await epoch_of(scripts)
    await scripts.renew(
        [(LEASE, epoch, LeaseNote("events", "1-0", None, 3))], "this process", ttl_ms=5000
    )
    renewed = await scripts.acquire(LEASE, "this process", ttl_ms=5000)
    assert renewed is not None
    await scripts.release(LEASE, "this process", renewed.epoch, LeaseNote("events", "1-0", 1, 4))

    released = await scripts.acquire(LEASE, "another process", ttl_ms=5000)

    assert (renewed.erased_count, renewed.missed_count) == (3, None)
    assert released is not None
    assert (released.erased_count, released.missed_count) == (4, 1)
