"""What is handled when: driven by hand, without Redis."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from consumers.runtime.batches import Batches
from consumers.runtime.entry import Entry, HeldEntry, Source
from consumers.runtime.gate import Circuit, Gate
from consumers.runtime.handler_table import BatchHandler
from consumers.runtime.lanes import Lanes
from consumers.runtime.retry_policy import Split, TryLater
from gateway.backoff import Backoff
from gateway.contract import EntryId, encode_event
from tests.integration.runtime.running import comment_event
from tests.support.eventually import eventually

SOURCE = Source("events", "b24:events:{0}", is_redelivery=False)


def held(comment_id: int, number: int) -> HeldEntry:
    event = comment_event(comment_id)
    entry_id = f"{number}-0"
    return HeldEntry(
        source=SOURCE,
        id=entry_id.encode(),
        entry=Entry(
            stream="events",
            partition=0,
            epoch=1,
            id=entry_id,
            event=event,
            raw=encode_event(event),
        ),
    )


def open_gate(limit: int = 8) -> Gate:
    gate = Gate(limit=limit)
    gate.extend(float("inf"))
    return gate


def batches_of(
    max_events: int, *, max_wait_s: float = 0.0, max_bytes: int = 1 << 20
) -> BatchHandler:
    async def unused(_entries: Sequence[Entry]) -> None:
        raise AssertionError("the attempt is the test's own")

    return BatchHandler(unused, max_events, max_wait_s, max_bytes)


async def test_one_comment_is_handled_in_order_and_others_meanwhile() -> None:
    seen: dict[str, list[int]] = defaultdict(list)
    running: dict[str, int] = defaultdict(int)
    most = 0

    async def attempt(one: HeldEntry) -> TryLater | None:
        nonlocal most
        running[one.lane] += 1
        assert running[one.lane] == 1
        most = max(most, sum(running.values()))
        await asyncio.sleep(0.001)
        running[one.lane] -= 1
        seen[one.lane].append(EntryId.of(one.entry.id).ms)
        return None

    gate = open_gate()
    lanes = Lanes(attempt, gate, Circuit(Backoff()))
    for number in range(200):
        lanes.submit([held(number % 10 + 1, number)])
    await eventually(lambda: sum(map(len, seen.values())) == 200)
    gate.close()
    await lanes.finish(1)

    assert most == 8
    assert all(numbers == sorted(numbers) for numbers in seen.values())


async def test_a_failing_comment_keeps_only_itself_waiting() -> None:
    done: list[str] = []
    attempts = 0

    async def attempt(one: HeldEntry) -> TryLater | None:
        nonlocal attempts
        if one.entry.event.subject == "comment/1" and attempts < 3:
            attempts += 1
            return TryLater(0.02, is_transient=False)
        done.append(one.entry.id)
        return None

    gate = open_gate(limit=1)
    lanes = Lanes(attempt, gate, Circuit(Backoff()))
    for number, comment_id in enumerate([1, 1, 2, 2, 3]):
        lanes.submit([held(comment_id, number)])
    await eventually(lambda: len(done) == 5)
    gate.close()
    await lanes.finish(1)

    assert done == ["2-0", "4-0", "3-0", "0-0", "1-0"]


async def test_when_everything_fails_the_partition_pauses_and_probes() -> None:
    calls = 0
    is_away = True

    async def attempt(one: HeldEntry) -> TryLater | None:
        nonlocal calls
        calls += 1
        return TryLater(0.0, is_transient=True) if is_away else None

    gate = open_gate()
    lanes = Lanes(attempt, gate, Circuit(Backoff(first_s=0.05, limit_s=0.05), threshold=3))
    for number in range(50):
        lanes.submit([held(number + 1, number)])
    await asyncio.sleep(0.3)
    while_away = calls
    assert gate.is_paused
    is_away = False
    await eventually(lambda: calls >= while_away + 50)
    gate.close()
    await lanes.finish(1)

    assert while_away < 40  # not 50 entries again and again


async def test_nothing_is_started_once_the_lease_has_run_out() -> None:
    seen: list[str] = []

    async def attempt(one: HeldEntry) -> TryLater | None:
        seen.append(one.entry.id)
        return None

    gate = Gate(limit=8)
    lanes = Lanes(attempt, gate, Circuit(Backoff()))
    lanes.submit([held(1, 1)])
    await asyncio.sleep(0)
    assert seen == []

    gate.extend(float("inf"))
    await eventually(lambda: seen == ["1-0"])
    gate.close()
    await lanes.finish(1)


async def test_a_batch_goes_out_when_it_is_full_or_its_oldest_has_waited() -> None:
    batches: list[int] = []

    async def attempt(batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        batches.append(len(batch))
        return None

    gate = open_gate()
    work = Batches(attempt, gate, batches_of(10, max_wait_s=0.05))
    for number in range(25):
        work.submit([held(1, number)])
    await eventually(lambda: batches == [10, 10, 5])
    gate.close()
    await work.finish(1)


async def test_a_batch_goes_out_when_its_events_are_large_enough_together() -> None:
    batches: list[int] = []

    async def attempt(batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        batches.append(len(batch))
        return None

    gate = open_gate()
    of_three = 3 * len(held(1, 1).entry.raw)
    work = Batches(attempt, gate, batches_of(10, max_wait_s=3600, max_bytes=of_three))
    for number in range(7):
        work.submit([held(1, number)])
    await eventually(lambda: batches == [3, 3])
    for number in range(7, 9):
        work.submit([held(1, number)])
    await eventually(lambda: batches == [3, 3, 3])
    gate.close()
    await work.finish(1)


async def test_an_event_larger_than_a_batch_is_a_batch_of_its_own() -> None:
    batches: list[int] = []

    async def attempt(batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        batches.append(len(batch))
        return None

    gate = open_gate()
    work = Batches(attempt, gate, batches_of(10, max_wait_s=3600, max_bytes=1))
    work.submit([held(1, 1)])
    work.submit([held(1, 2)])
    await eventually(lambda: batches == [1, 1])
    gate.close()
    await work.finish(1)


async def test_a_batch_with_a_bad_entry_is_halved_until_that_one_is_alone() -> None:
    handled: list[str] = []
    alone: list[str] = []

    async def attempt(batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        if any(one.entry.id == "5-0" for one in batch):
            if len(batch) > 1:
                return Split()
            alone.append(batch[0].entry.id)
            return None
        handled.extend(one.entry.id for one in batch)
        return None

    gate = open_gate()
    work = Batches(attempt, gate, batches_of(16))
    for number in range(16):
        work.submit([held(1, number)])
    await eventually(lambda: len(handled) == 15)
    gate.close()
    await work.finish(1)

    assert alone == ["5-0"]
    assert handled == [f"{number}-0" for number in range(16) if number != 5]


async def test_a_comment_that_comes_later_does_not_wait_for_the_handlers_under_way() -> None:
    started: list[str] = []
    released = asyncio.Event()

    async def attempt(one: HeldEntry) -> TryLater | None:
        started.append(one.lane)
        await released.wait()
        return None

    gate = open_gate(limit=4)
    lanes = Lanes(attempt, gate, Circuit(Backoff()))
    for count in range(1, 5):  # one at a time, as a quiet stream brings them
        lanes.submit([held(count, count)])
        await eventually(lambda expected=count: len(started) == expected)  # type: ignore[misc]
    lanes.submit([held(5, 5)])
    lanes.submit([held(6, 6)])
    await asyncio.sleep(0)
    assert len(started) == 4
    released.set()
    await eventually(lambda: len(started) == 6)

    gate.close()
    await lanes.finish(1)
    assert len(set(started)) == 6


async def swallowing_one_cancellation(began: asyncio.Event) -> None:
    """What `asyncio.wait_for` may do before Python 3.12."""
    began.set()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)


async def test_an_attempt_that_a_cancellation_passes_by_does_not_hold_the_stop() -> None:
    began = asyncio.Event()

    async def attempt(_one: HeldEntry) -> TryLater | None:
        await swallowing_one_cancellation(began)
        return None

    async def attempt_some(_batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        await swallowing_one_cancellation(began)
        return None

    async with asyncio.timeout(30):
        gate = open_gate()
        lanes = Lanes(attempt, gate, Circuit(Backoff()))
        lanes.submit([held(1, 1)])
        await began.wait()
        gate.close()
        await lanes.finish(0)

        began.clear()
        gate = open_gate()
        work = Batches(attempt_some, gate, batches_of(1))
        work.submit([held(1, 1)])
        await began.wait()
        gate.close()
        await work.finish(0)
