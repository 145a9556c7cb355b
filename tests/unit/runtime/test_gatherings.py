"""What is handled together, in which order, and what waits for what: without Redis."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.runtime.entry import Entry, HeldEntry, Source
from consumers.runtime.gate import Gate
from consumers.runtime.gatherings import Gatherings
from consumers.runtime.retry_policy import PostponedEntries, Split
from consumers.runtime.transforms import Result, TransformHandler
from consumers.testing import comment_event
from gateway.contract import EntryId, encode_event
from tests.support.eventually import eventually

SOURCE = Source("events", "b24:events:{0}", is_redelivery=False)


def held(portal: str, comment_id: int, number: int) -> HeldEntry:
    event = comment_event(comment_id, member_id=portal)
    entry_id = f"{number}-0"
    entry = Entry(
        stream="events", partition=0, epoch=1, id=entry_id, event=event, raw=encode_event(event)
    )
    return HeldEntry(source=SOURCE, id=entry_id.encode(), entry=entry)


def number_of(one: HeldEntry) -> int:
    return EntryId.of(one.entry.id).ms


async def unused(entries: Sequence[Entry]) -> Sequence[Result]:
    raise AssertionError(entries)


class Bench:
    """Gatherings whose attempts are the test's, with what they were given."""

    def __init__(self, *, limit: int = 8, **options: Any) -> None:
        self.batches: list[list[int]] = []
        self.gate = Gate(limit=limit)
        self.gate.extend(float("inf"))
        chosen: dict[str, Any] = {"together": "source", "max_subjects": 3} | options
        self.handler = TransformHandler(call=unused, **chosen)
        self.work = Gatherings(self._attempt, lambda _type: self.handler, self.gate)

    async def _attempt(
        self, handler: TransformHandler, batch: Sequence[HeldEntry]
    ) -> PostponedEntries | Split | None:
        assert handler is self.handler
        self.batches.append([number_of(one) for one in batch])
        return await self.attempt(batch)

    async def attempt(self, batch: Sequence[HeldEntry]) -> PostponedEntries | Split | None:
        return None

    def submit(self, *entries: tuple[str, int]) -> None:
        for number, (portal, comment_id) in enumerate(entries, start=1):
            self.work.submit([held(portal, comment_id, number)])

    async def end(self) -> None:
        self.gate.close()
        await self.work.finish(1)


async def test_what_belongs_together_is_handled_together_in_full_batches() -> None:
    bench = Bench()
    bench.submit(*[(portal, comment) for comment in range(1, 8) for portal in ("a", "b")])
    await eventually(lambda: sum(map(len, bench.batches)) == 14)
    await bench.end()

    assert sorted(bench.batches) == [[1, 3, 5], [2, 4, 6], [7, 9, 11], [8, 10, 12], [13], [14]]


async def test_a_batch_that_is_not_full_waits_for_others_but_not_long() -> None:
    bench = Bench(max_wait_s=0.03)
    loop = asyncio.get_running_loop()
    began = loop.time()
    bench.submit(("a", 1), ("a", 2))
    await eventually(lambda: bench.batches == [[1, 2]])
    await bench.end()

    assert 0.025 < loop.time() - began < 1


async def test_batches_that_are_not_full_are_spaced_and_full_ones_are_not() -> None:
    bench = Bench(spacing_s=0.2)
    loop = asyncio.get_running_loop()
    bench.submit(("a", 1))
    await eventually(lambda: len(bench.batches) == 1)
    began = loop.time()
    await asyncio.sleep(0.01)
    bench.submit(("a", 2))
    await asyncio.sleep(0.01)
    assert len(bench.batches) == 1
    bench.submit(("a", 3), ("a", 4), ("a", 5))
    await eventually(lambda: len(bench.batches) == 2)
    assert loop.time() - began < 0.15
    bench.submit(("a", 6))
    await eventually(lambda: len(bench.batches) == 3)
    await bench.end()

    assert loop.time() - began > 0.19


async def test_entries_of_one_comment_are_one_of_a_batch_and_never_in_two_at_a_time() -> None:
    bench = Bench(max_batches=4)
    open_door = asyncio.Event()

    async def attempt(batch: Sequence[HeldEntry]) -> None:
        await open_door.wait()

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(("a", 1), ("a", 1), ("a", 2), ("a", 1))
    await eventually(lambda: bench.batches == [[1, 2, 4, 3]])
    for number, comment_id in enumerate([2, 3, 1, 2], start=5):
        bench.work.submit([held("a", comment_id, number)])
    await eventually(lambda: bench.batches == [[1, 2, 4, 3], [6]])
    open_door.set()
    await eventually(lambda: len(bench.batches) == 3)
    await bench.end()

    assert bench.batches[2] == [7, 5, 8]


async def test_a_key_that_fails_waits_alone_and_is_then_tried_by_one_batch() -> None:
    bench = Bench(max_batches=4)
    is_away = True

    async def attempt(batch: Sequence[HeldEntry]) -> PostponedEntries | None:
        if batch[0].entry.event.source.endswith(":a") and is_away:
            return PostponedEntries(batch, 0.05)
        return None

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(*[("a", comment) for comment in range(1, 10)], ("b", 1))
    await eventually(lambda: [10] in bench.batches)
    tried = len(bench.batches)
    bench.work.submit([held("a", 1, 11)])
    bench.work.submit([held("b", 2, 12)])
    await eventually(lambda: [12] in bench.batches)
    assert len(bench.batches) == tried + 1
    await eventually(lambda: len(bench.batches) > tried + 1)
    assert len(bench.batches) == tried + 2
    assert len(bench.batches[-1]) >= 3
    is_away = False
    await eventually(
        lambda: {number for batch in bench.batches for number in batch} >= set(range(13)) - {0}
    )
    await eventually(
        lambda: 11 in bench.batches[-1] or any(b[:2] == [1, 11] for b in bench.batches)
    )
    await bench.end()


async def test_a_batch_is_halved_until_the_bad_entry_is_alone() -> None:
    bench = Bench(max_subjects=8)
    alone: list[int] = []

    async def attempt(batch: Sequence[HeldEntry]) -> Split | None:
        if 5 not in [number_of(one) for one in batch]:
            return None
        if len(batch) > 1:
            return Split()
        alone.append(5)
        return None

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(*[("a", comment) for comment in range(1, 9)])
    await eventually(lambda: alone == [5])
    await eventually(lambda: [7, 8] in bench.batches)
    await bench.end()


async def test_nothing_starts_once_the_lease_has_run_out_until_it_is_renewed() -> None:
    bench = Bench()
    bench.gate.extend(0.0)
    bench.submit(("a", 1), ("a", 2), ("a", 3), ("b", 1))
    await asyncio.sleep(0.02)
    assert bench.batches == []
    bench.gate.extend(float("inf"))
    await eventually(lambda: len(bench.batches) == 2)
    await bench.end()


async def test_no_more_batches_run_than_the_gate_admits() -> None:
    bench = Bench(limit=2, together=None, max_subjects=1)
    running = most = 0

    async def attempt(batch: Sequence[HeldEntry]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(*[("a", comment) for comment in range(1, 30)])
    await eventually(lambda: len(bench.batches) == 29)
    await bench.end()

    assert most == 2


async def test_what_an_attempt_raises_ends_the_work() -> None:
    bench = Bench()

    async def attempt(batch: Sequence[HeldEntry]) -> None:
        raise ZeroDivisionError

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(("a", 1))
    await bench.gate.closed(5)
    with pytest.raises(ZeroDivisionError):
        await bench.end()


@settings(max_examples=60)
@given(
    entries=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(min_value=1, max_value=6)), max_size=60
    ),
    choices=st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=40),
)
@example(entries=[("a", 1)] * 4, choices=[0, 2, 2, 0, 3])
async def test_every_entry_is_handled_once_and_each_comment_in_order(
    entries: list[tuple[str, int]], choices: list[int]
) -> None:
    bench = Bench(max_batches=2)
    done: dict[str, list[int]] = defaultdict(list)
    turn = 0

    async def attempt(batch: Sequence[HeldEntry]) -> PostponedEntries | Split | None:
        nonlocal turn
        turn += 1
        choice = choices[turn % len(choices)] if turn < 200 else 0
        if choice == 1:
            await asyncio.sleep(0)
        if choice == 2 and len(batch) > 1:
            return Split()
        if choice == 3:
            return PostponedEntries(batch, 0.0)
        late = {one.lane for one in batch[:1]} if choice == 4 else set()
        for one in batch:
            if one.lane not in late:
                done[one.lane].append(number_of(one))
        left = [one for one in batch if one.lane in late]
        return PostponedEntries(left, 0.0) if left else None

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(*entries)
    await eventually(lambda: sum(map(len, done.values())) >= len(entries))
    await bench.end()

    assert all(numbers == sorted(set(numbers)) for numbers in done.values())
    assert sum(map(len, done.values())) == len(entries)
    assert bench.work.is_empty


async def test_a_subject_that_has_to_wait_keeps_no_other_one_of_its_key_waiting() -> None:
    bench = Bench()

    async def attempt(batch: Sequence[HeldEntry]) -> PostponedEntries | None:
        late = [one for one in batch if one.entry.event.subject == "comment/1"]
        return PostponedEntries(late, 0.2) if late and len(bench.batches) < 4 else None

    bench.attempt = attempt  # type: ignore[method-assign]
    bench.submit(("a", 1), ("a", 2), ("a", 1), ("a", 3))
    await eventually(lambda: len(bench.batches) == 1)
    for number in (5, 6):
        bench.work.submit([held("a", number, number)])
        await eventually(lambda: bench.batches[-1] == [number], timeout_s=0.15)  # noqa: B023
    bench.work.submit([held("a", 1, 7)])
    await eventually(lambda: len(bench.batches) == 4)
    await bench.end()

    assert bench.batches == [[1, 3, 2, 4], [5], [6], [1, 3, 7]]
