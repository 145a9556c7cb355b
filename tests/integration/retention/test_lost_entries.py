"""Entries that somebody else took away: told, counted, and told from what is no loss."""

import time

from redis.asyncio import Redis

from tests.integration.retention.trimmed_streams import (
    KEY,
    OLD,
    STREAMS,
    counted,
    groups,
    looked,
    read,
    retention,
)

__all__ = ["groups"]


async def test_unread_entries_that_somebody_else_trimmed_are_told_loudly_and_once(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    await read(redis, "slow", 10, acknowledged=4)
    keeper = retention(redis, days=100_000)
    await keeper.look_once()
    labels = {"group": "slow", "by": "others"}
    before = counted("b24gw_unread_removed_entries_total", **labels)

    await redis.xtrim(KEY, minid=f"{OLD + 26}-0", approximate=False)

    (line,) = await looked(keeper)
    assert (line["log_level"], line["group"]) == ("error", "slow")
    assert line["event"] == "somebody else removed entries that a group had not read"
    # 15 that it never read, and 6 that it had not acknowledged.
    assert (line["removed"], line["at_least"], line["at_most"]) == (25, 21, 21)
    assert counted("b24gw_unread_removed_entries_total", **labels) - before == 21
    assert await looked(keeper) == []
    assert await looked(retention(redis, days=100_000)) == []  # nor by the next leader


async def test_unread_entries_that_somebody_else_deleted_one_by_one_are_told(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    await read(redis, "slow", 10)
    keeper = retention(redis, days=100_000)
    await keeper.look_once()

    await redis.xdel(KEY, f"{OLD + 20}-0", f"{OLD + 21}-0")

    (line,) = await looked(keeper)
    assert (line["group"], line["at_least"], line["at_most"]) == ("slow", 1, 2)


async def test_a_group_that_never_read_loses_all_that_somebody_else_trimmed(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    keeper = retention(redis, days=100_000)
    await keeper.look_once()

    await redis.xtrim(KEY, maxlen=30, approximate=False)

    (line,) = await looked(keeper)
    assert (line["group"], line["at_least"], line["at_most"]) == ("slow", 10, 10)


async def test_a_group_that_has_passed_the_gap_before_the_look_may_have_lost_entries(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    keeper = retention(redis, days=100_000)
    await keeper.look_once()

    await redis.xtrim(KEY, minid=f"{OLD + 31}-0", approximate=False)
    await read(redis, "slow", 5)

    (line,) = await looked(keeper)
    assert line["event"] == "somebody else removed entries that a group may not have read"
    assert (line["group"], line["at_least"], line["at_most"]) == ("slow", 0, 30)


async def test_acknowledged_entries_that_somebody_else_trimmed_are_no_loss(
    redis: Redis, groups: None
) -> None:
    for group in ("fast", "slow"):
        await read(redis, group, 20)
    keeper = retention(redis, days=100_000, warn_held_days=100_000)
    await keeper.look_once()

    await redis.xtrim(KEY, minid=f"{OLD + 21}-0", approximate=False)

    (line,) = await looked(keeper)
    assert line["log_level"] == "warning"
    assert line["removed"] == 20


async def test_a_stream_that_somebody_deleted_is_told_of(redis: Redis, groups: None) -> None:
    keeper = retention(redis, days=100_000)
    await keeper.look_once()

    await redis.delete(KEY)

    (line,) = await looked(keeper)
    assert (line["log_level"], line["stream"]) == ("error", KEY)
    assert await looked(keeper) == []


async def test_dead_letters_go_when_they_are_old_of_whatever_group(redis: Redis) -> None:
    now_ms = round(time.time() * 1000)
    for group in ("audit", "of-a-service-that-is-gone"):
        for age_days in (40, 31, 29, 0):
            letter_id = f"{now_ms - age_days * 86_400_000}-0"
            await redis.xadd(STREAMS.dead(group, 0), {"event": b"x"}, id=letter_id)
    keeper = retention(redis)

    await keeper.look_once()
    await redis.xadd(STREAMS.dead("late", 0), {"event": b"x"}, id=f"{OLD}-0")
    await keeper.look_once()  # within the hour

    assert await redis.xlen(STREAMS.dead("audit", 0)) == 2
    assert await redis.xlen(STREAMS.dead("of-a-service-that-is-gone", 0)) == 2
    assert await redis.xlen(STREAMS.dead("late", 0)) == 1


async def test_dead_letters_may_stay(redis: Redis) -> None:
    await redis.xadd(STREAMS.dead("audit", 0), {"event": b"x"}, id=f"{OLD}-0")

    await retention(redis, dead_letter_days=0).look_once()

    assert await redis.xlen(STREAMS.dead("audit", 0)) == 1
