"""As many have a turn at a time as it takes to be through in time, and each in its order."""

import asyncio
from contextlib import suppress

import pytest

from gateway.reconciler import turn_places
from gateway.reconciler.turn_places import TurnPlaces, places_for


@pytest.mark.parametrize(
    ("waiting", "turn_s", "count"),
    [
        (10_000, 2.0, 134),  # 10,000 portals at 500 ms a call and four calls, within 150 s
        (10_000, 0.005, 32),  # what takes no time needs no places
        (100, 2.0, 32),
        (100_000, 5.0, 256),  # no more than there may be
        (0, 5.0, 32),
    ],
)
def test_places_are_as_many_as_it_takes_and_never_few(
    waiting: int, turn_s: float, count: int
) -> None:
    assert places_for(waiting, turn_s, within_s=150.0, most=256) == count


def test_a_smaller_bound_is_kept_to() -> None:
    assert places_for(10_000, 2.0, within_s=150.0, most=2) == 2


class Turns:
    """Turns of one duty that end when they are told to."""

    def __init__(self, most: int, *, every_s: float) -> None:
        self.places = TurnPlaces(most, every_s=every_s)
        self.began: list[int] = []
        self.ended = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self, numbers: range) -> None:
        self.tasks += [asyncio.create_task(self._turn(number)) for number in numbers]
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _turn(self, number: int) -> None:
        async with self.places.taken(is_absent=False):
            self.began.append(number)
            await self.ended.wait()


async def test_who_waits_has_the_next_place_in_the_order_of_coming() -> None:
    turns = Turns(2, every_s=3600.0)
    await turns.begin(range(5))
    assert turns.began == [0, 1]

    turns.tasks[0].cancel()
    turns.tasks[2].cancel()  # it waits
    await turns.settle()

    assert turns.began == [0, 1, 3]
    turns.ended.set()
    await turns.settle()
    assert turns.began == [0, 1, 3, 4]
    await turns.end()


async def test_with_more_to_do_than_there_is_time_more_have_a_turn_at_once() -> None:
    turns = Turns(256, every_s=0.002)
    await turns.begin(range(1_000))
    assert len(turns.began) == 32

    await asyncio.sleep(0.01)
    turns.tasks[0].cancel()  # a turn took ten milliseconds: 1,000 times that, in one
    await turns.settle()

    assert len(turns.began) == 257  # one has gone
    await turns.end()


async def test_a_place_that_is_given_out_to_one_who_is_gone_is_not_lost() -> None:
    turns = Turns(1, every_s=3600.0)
    await turns.begin(range(3))
    turns.tasks[0].cancel()
    await asyncio.sleep(0)
    turns.tasks[1].cancel()  # which has just been given the place
    await turns.settle()

    assert turns.began[-1] == 2
    await turns.end()


async def test_a_turn_that_goes_on_without_a_place_gives_it_back_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_places, "_KEPT_S", 0.01)
    turns = Turns(1, every_s=3600.0)
    await turns.begin(range(3))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.gather(*turns.tasks)), 0.1)
    assert turns.began == [0, 1, 2]

    turns.ended.set()
    await turns.settle()
    turns.ended.clear()
    await turns.begin(range(3, 5))
    assert turns.began == [0, 1, 2, 3]
    await turns.end()
