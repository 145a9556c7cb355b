"""What waits in several partitions is handled in one call: driven by hand, without Redis."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from msgspec.structs import replace

from consumers.runtime.entry import Entry, HeldEntry
from consumers.runtime.handler_table import BatchHandler
from consumers.runtime.joint_batches import JointBatches
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.retry_policy import Split, TryLater
from tests.support.eventually import eventually
from tests.unit.runtime.test_lanes import held, open_gate

Call = tuple[int, ...]
"""The partitions of the entries of a call, one each."""


class Away(Exception):
    """What the handler needs is not there."""


class Partitions:
    """A few partitions of one process, and the calls that were made for them."""

    def __init__(
        self,
        handler: Callable[[Sequence[Entry]], Awaitable[None]] | None = None,
        *,
        count: int = 3,
        max_events: int = 10,
        max_wait_s: float = 0.02,
        max_bytes: int = 1 << 20,
    ) -> None:
        self.calls: list[Call] = []
        self.settled: list[int] = []
        self.failed: list[int] = []
        self._handler = handler
        limits = BatchHandler(self._called, max_events, max_wait_s, max_bytes, True)
        joint = JointCalls(limits, lambda error: isinstance(error, Away))
        self.gates = [open_gate() for _ in range(count)]
        self.work = [self._partition(number, joint) for number in range(count)]

    def submit(self, partition: int, count: int = 1) -> None:
        for _ in range(count):
            one = held(partition, len(self.calls))
            one.entry = replace(one.entry, partition=partition)
            self.work[partition].submit([one])

    async def finish(self) -> None:
        for gate in self.gates:
            gate.close()
        for work in self.work:
            await work.finish(1)

    async def _called(self, entries: Sequence[Entry]) -> None:
        self.calls.append(tuple(entry.partition for entry in entries))
        if self._handler is not None:
            await self._handler(entries)

    def _partition(self, number: int, joint: JointCalls) -> JointBatches:
        async def attempt(
            batch: Sequence[HeldEntry], call: Callable[[Sequence[Entry]], Awaitable[None]]
        ) -> TryLater | Split | None:
            try:
                await call([one.entry for one in batch])
            except Away:
                return TryLater(0.01, is_transient=True)
            except ValueError:
                self.failed.append(number)
                return Split() if len(batch) > 1 else None
            self.settled.extend([number] * len(batch))
            return None

        return JointBatches(attempt, self.gates[number], joint, by_itself=self._called)


async def test_all_that_waits_goes_into_one_call_when_the_oldest_has_waited() -> None:
    it = Partitions()
    for partition in (0, 1, 2, 1):
        it.submit(partition)
    await eventually(lambda: len(it.settled) == 4)
    await it.finish()

    assert [sorted(call) for call in it.calls] == [[0, 1, 1, 2]]


async def test_a_call_is_due_when_enough_waits_in_all_partitions_together() -> None:
    it = Partitions(max_events=4, max_wait_s=3600)
    it.submit(0, 2)
    it.submit(1, 1)
    await asyncio.sleep(0)
    assert it.calls == []
    it.submit(2, 3)
    await eventually(lambda: len(it.settled) == 4)
    await it.finish()

    assert it.calls == [(0, 0, 1, 2)], "those first that have waited for longest"


async def test_a_call_is_due_when_events_are_large_enough_together() -> None:
    of_three = 3 * len(held(1, 1).entry.raw)
    it = Partitions(max_wait_s=3600, max_bytes=of_three)
    for partition in (0, 1, 2, 2):
        it.submit(partition)
    await eventually(lambda: len(it.settled) == 3)
    await it.finish()

    assert it.calls == [(0, 1, 2)]


async def test_what_comes_during_a_call_is_in_the_next_one_together() -> None:
    released = asyncio.Event()

    async def wait(_entries: Sequence[Entry]) -> None:
        await released.wait()

    it = Partitions(wait, max_wait_s=0)
    it.submit(0)
    await eventually(lambda: it.calls == [(0,)])
    it.submit(1)
    it.submit(2)
    it.submit(0)
    released.set()
    await eventually(lambda: len(it.settled) == 4)
    await it.finish()

    assert [sorted(call) for call in it.calls] == [[0], [0, 1, 2]]


async def test_a_fault_of_one_partitions_entries_is_an_attempt_of_no_other() -> None:
    async def refuse_one(entries: Sequence[Entry]) -> None:
        if any(entry.partition == 1 for entry in entries):
            raise ValueError("bad row")

    it = Partitions(refuse_one)
    for partition in (0, 1, 2):
        it.submit(partition, 2)
    await eventually(lambda: it.failed == [1, 1, 1] and len(it.settled) == 4)
    await it.finish()

    assert sorted(it.settled) == [0, 0, 2, 2]
    assert it.calls[1:] == [(0, 0), (1, 1), (2, 2), (1,), (1,)], "apart, and the bad one in halves"


async def test_what_is_away_is_away_for_all_and_comes_again_together() -> None:
    fails = 2

    async def be_away_first(_entries: Sequence[Entry]) -> None:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise Away

    it = Partitions(be_away_first)
    for partition in (0, 1, 2):
        it.submit(partition)
    await eventually(lambda: len(it.settled) == 3)
    await it.finish()

    assert [sorted(call) for call in it.calls] == [[0, 1, 2]] * 3
    assert it.failed == []


async def test_a_partition_without_a_valid_lease_is_left_out_until_it_is_renewed() -> None:
    it = Partitions()
    it.gates[1].extend(float("-inf"))
    for partition in (0, 1, 2):
        it.submit(partition)
    await eventually(lambda: len(it.settled) == 2)
    assert 1 not in it.settled
    it.gates[1].extend(float("inf"))
    await eventually(lambda: len(it.settled) == 3)
    await it.finish()

    assert [sorted(call) for call in it.calls] == [[0, 2], [1]]


async def test_a_partition_that_goes_ends_no_call_that_others_wait_for() -> None:
    released = asyncio.Event()

    async def wait(_entries: Sequence[Entry]) -> None:
        await released.wait()

    it = Partitions(wait)
    for partition in (0, 1, 2):
        it.submit(partition)
    await eventually(lambda: len(it.calls) == 1)
    it.gates[1].close()
    await it.work[1].finish(0)
    released.set()
    await eventually(lambda: sorted(it.settled) == [0, 2])
    del it.work[1], it.gates[1]
    await it.finish()


async def test_a_call_that_nobody_waits_for_any_more_is_cancelled() -> None:
    cancelled = False

    async def hang(_entries: Sequence[Entry]) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        finally:
            cancelled = True

    it = Partitions(hang)
    for partition in (0, 1, 2):
        it.submit(partition)
    await eventually(lambda: len(it.calls) == 1)
    for gate, work in zip(it.gates, it.work, strict=True):
        gate.close()
        assert not cancelled
        await work.finish(0)

    assert cancelled


async def test_an_end_of_the_process_within_a_handler_is_passed_on() -> None:
    class Ended(BaseException):
        pass

    async def end(_entries: Sequence[Entry]) -> None:
        raise Ended

    it = Partitions(end)
    it.submit(0)
    await eventually(lambda: it.gates[0].is_closed)
    with pytest.raises(Ended):
        await it.work[0].finish(1)
