"""What portals send is kept by ten minutes, over all receivers, with how long they were there."""

from redis.asyncio import Redis

from gateway.portals.directory import Directory
from gateway.traffic.portal_traffic import SLOT_S, Slot, Traffic, slot_at
from gateway.traffic.rate_watch import RateWatch

NOON = 1_766_059_200.0


def receiver(redis: Redis) -> RateWatch:
    return RateWatch(redis, Directory(), prefix="b24", limit=0)


async def test_two_receivers_are_added_up_and_count_as_one_that_is_always_there(
    redis: Redis,
) -> None:
    first, second = receiver(redis), receiver(redis)
    for at in range(0, 600, 10):
        for watch in (first, second):
            watch.counts["m1"] = 2
            await watch.measure(NOON + at)
    await first.measure(NOON + 600)  # of what comes now, nothing was of m1

    traffic = Traffic(redis, prefix="b24")
    slots = await traffic.slots("m1", slot_at(NOON) - 1, slot_at(NOON) + 1)

    assert slots == [
        Slot(number=slot_at(NOON) - 1, events=0, watched_s=0),
        Slot(number=slot_at(NOON), events=240, watched_s=SLOT_S),
        Slot(number=slot_at(NOON) + 1, events=0, watched_s=10),
    ]
    assert await traffic.last_event_at("m1") == NOON + 590
    assert await traffic.last_event_at("m2") is None


async def test_no_more_is_read_than_is_kept(redis: Redis) -> None:
    slots = await Traffic(redis, prefix="b24").slots("m1", 0, slot_at(NOON))

    assert len(slots) == 24 * 6 + 1
    assert slots[-1].number == slot_at(NOON)
