"""When an event of each type came last, by what the streams hold."""

from msgspec.structs import replace
from redis.asyncio import Redis

from consumers.testing import comment_event, entity_event
from gateway.contract import CloudEvent, Streams, encode_event
from gateway.ops.latest_of_types import latest_of_types

STREAMS = Streams(partitions=2)
DEAL, COMMENT = "bitrix24.crm.deal.updated", "bitrix24.crm.timeline.comment.updated"


def at(second: int, event: CloudEvent) -> CloudEvent:
    return replace(event, receivedat=f"2026-11-28T10:{second // 60:02}:{second % 60:02}.000Z")


async def put(redis: Redis, partition: int, *events: CloudEvent) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for event in events:
            pipe.xadd(STREAMS.key("events", partition), {"event": encode_event(event)})
        await pipe.execute()


async def test_the_last_of_each_type_is_found_in_all_partitions(redis: Redis) -> None:
    await put(redis, 0, at(1, entity_event()), at(5, comment_event(1)))
    await put(redis, 1, at(3, entity_event("deal/8")), at(2, comment_event(2)))

    found = await latest_of_types(redis, STREAMS)

    assert found.received == {DEAL: "2026-11-28T10:00:03.000Z", COMMENT: "2026-11-28T10:00:05.000Z"}
    assert found.since is None


async def test_of_one_portal_only_its_own_are_looked_at(redis: Redis) -> None:
    other = at(9, entity_event(member_id="other"))
    await put(redis, 0, at(1, entity_event()), other)

    found = await latest_of_types(redis, STREAMS, member_id="portal")

    assert found.received == {DEAL: "2026-11-28T10:00:01.000Z"}


async def test_what_lies_behind_many_others_is_found_and_rubbish_is_passed_over(
    redis: Redis,
) -> None:
    await put(redis, 0, at(1, entity_event()))
    await redis.xadd(STREAMS.key("events", 0), {"event": b"{"})
    await redis.xadd(STREAMS.key("events", 0), {"other": b""})
    await put(redis, 0, *(at(number, comment_event(7)) for number in range(2, 2_500)))

    found = await latest_of_types(redis, STREAMS)

    assert found.received[DEAL] == "2026-11-28T10:00:01.000Z"
    assert found.received[COMMENT] == "2026-11-28T10:41:39.000Z"
