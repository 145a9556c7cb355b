"""Takes this process's share of the partitions by leases, keeps it, and gives it up.

Which partitions those are, each process finds out by itself, with the same answer in all of them.

A lease lasts `lease_s` seconds by the server's clock and is renewed three times in that time. The
process counts from before it asked, so its own view always ends first. A lease that was not
renewed stops new work at once, and one that another process has taken ends the partition here.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final

import structlog
from msgspec import Struct

from consumers.runtime.ended_partitions import EndedPartitions
from consumers.runtime.layout_order import LayoutOrder
from consumers.runtime.lua_scripts import Acquired, Scripts
from consumers.runtime.outages import Outages
from consumers.runtime.partition import OwnedPartition
from consumers.runtime.partition_keys import PartitionKeys
from consumers.runtime.standing_interventions import StandingInterventions
from gateway.background import owned
from gateway.redis_access.connections import AWAY_OR_REFUSING

__all__ = ["Ownership", "share_of"]

log = structlog.get_logger()

_BEAT_S: Final = 1.0
"""How often a process says that it lives, and looks who else does."""


class _Owned(Struct):
    partition: OwnedPartition
    task: asyncio.Task[None]


class Ownership:
    """Owns the partitions of one process; `own` makes the runtime of one whose lease was taken.

    `keys_of` names the keys of a partition, and `order` says which may be read by now.
    `member` is what this process is called among those of its group.

    What it gives up at the end it tells Redis for `farewell_s` at most each, for leases and members
    run out by themselves.
    """

    def __init__(
        self,
        keys_of: Callable[[int], PartitionKeys],
        order: LayoutOrder,
        *,
        group: str,
        member: str,
        members_key: str,
        scripts: Scripts,
        lease_s: float,
        farewell_s: float,
        one_by_one: bool,
        outages: Outages,
        wishes: StandingInterventions,
        own: Callable[[PartitionKeys, Acquired], OwnedPartition],
    ) -> None:
        self._keys_of = keys_of
        self._order = order
        self.group = group
        self.member = member
        self._members_key = members_key
        self._scripts = scripts
        self._lease_s = lease_s
        self._farewell_s = farewell_s
        self._ttl_ms = int(lease_s * 1000)
        self._one_by_one = one_by_one
        self._outage = outages.of("leases wait for Redis")
        self.wishes = wishes
        self._own = own
        self._owned: dict[int, _Owned] = {}
        self._ended = EndedPartitions(group)
        self._renew_at = 0.0
        self.beaten_at = time.monotonic()
        self.is_connected = False

    @property
    def partitions(self) -> list[OwnedPartition]:
        """The partitions in the hands of this process."""
        return [one.partition for one in self._owned.values()]

    async def run(self, stop: asyncio.Event) -> None:
        """Own a share until `stop` is set, then finish what is in hand and give everything up.

        Raises what a partition raised, after all of them have ended, and sets `stop` as soon as it
        has raised that, for whoever bounds how long the end may take; OperatorError if the server
        denies this user the leases from the start.
        """
        failure: BaseException | None = None
        while not stop.is_set() and failure is None:
            failure = await self._tried(self._beat)
            self.beaten_at = time.monotonic()
            if failure is None:
                await self._wait(stop)
                failure = self._forget_ended()
        stop.set()
        for one in self._owned.values():
            one.partition.close()
        while self._owned:
            await asyncio.wait([one.task for one in self._owned.values()], timeout=_BEAT_S)
            unforeseen = await self._tried(self._renew)
            ended = self._forget_ended()
            failure = failure or ended or unforeseen
        self._outage.forget()
        try:
            async with asyncio.timeout(self._farewell_s):
                await self._scripts.leave(self._members_key, self.member)
        except AWAY_OR_REFUSING as error:
            log.warning("leaving without a word", error=f"{type(error).__name__}: {error}")
        if failure is not None:
            raise failure

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> Exception | None:
        """Take a step, which is taken again if Redis fails it; else what has to end the process.

        Whatever that is, the partitions end in order first.
        """
        try:
            try:
                await step()
            except AWAY_OR_REFUSING as error:
                self.is_connected = False
                self._outage.failed(error)
            else:
                self.is_connected = not self._ended.resting
                self._outage.over()
        except Exception as error:  # noqa: BLE001 - raised by `run`, after the partitions' end
            return error
        return None

    async def _beat(self) -> None:
        """Keep what is owned; whatever becomes of that, see what is wanted, and share out anew."""
        try:
            await self._renew()
        finally:
            try:
                await self._follow()
            finally:
                if self.wishes.is_known:
                    await self._share_out()

    async def _follow(self) -> None:
        """Let all partitions follow what an operator wants."""
        if await self.wishes.look():
            for partition in self.partitions:
                partition.intervene()

    async def _share_out(self) -> None:
        members = await self._scripts.beat(self._members_key, self.member, ttl_ms=self._ttl_ms)
        share = _shares(self.member, members, await self._order.open_layouts())
        for number, one in self._owned.items():
            if number not in share and not one.partition.gate.is_closed:
                log.info("partition handed over", group=self.group, partition=number)
                one.partition.close()
        free = share - self._owned.keys() - self._ended.resting
        await _each(self._take(self._keys_of(number)) for number in free)

    async def _take(self, keys: PartitionKeys) -> None:
        asked_at = time.monotonic()
        acquired = await self._scripts.acquire(keys.lease, self.member, ttl_ms=self._ttl_ms)
        if acquired is None:
            return
        log.info(
            "partition taken",
            group=keys.group,
            partition=keys.partition,
            epoch=acquired.epoch,
            position=acquired.position,
        )
        partition = self._own(keys, acquired)
        partition.gate.extend(asked_at + self._lease_s)
        task = owned(self._keep(partition), name=f"partition {keys.partition}")
        self._owned[keys.partition] = _Owned(partition, task)

    async def _keep(self, partition: OwnedPartition) -> None:
        """Run a partition, then let others have it at once."""
        keys = partition.keys
        try:
            await partition.run()
        finally:
            try:
                async with asyncio.timeout(self._farewell_s):
                    await self._scripts.release(
                        keys.lease, self.member, partition.epoch, partition.kept
                    )
                log.info("partition released", group=keys.group, partition=keys.partition)
            except AWAY_OR_REFUSING as error:
                log.warning("lease runs out by itself", error=f"{type(error).__name__}: {error}")

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        if asked_at < self._renew_at or not self._owned:
            return
        partitions = self.partitions
        # In a cluster the leases of different partitions live on different nodes.
        parts = [[one] for one in partitions] if self._one_by_one else [partitions]
        await _each(self._renew_some(some, asked_at) for some in parts)
        self._renew_at = asked_at + self._lease_s / 3

    async def _renew_some(self, some: list[OwnedPartition], asked_at: float) -> None:
        # A node that does not answer must not hold up the beat, nor the end.
        async with asyncio.timeout(self._lease_s / 3):
            held = await self._scripts.renew(
                [(one.keys.lease, one.epoch, one.kept) for one in some],
                self.member,
                ttl_ms=self._ttl_ms,
            )
        for partition, is_held in zip(some, held, strict=True):
            if is_held:
                partition.gate.extend(asked_at + self._lease_s)
            elif not partition.gate.is_closed:
                log.warning("partition lost to another process", lease=partition.keys.lease)
                partition.close()

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until the next beat, or until told to stop or a partition has ended."""
        stopping = owned(stop.wait())
        tasks = [stopping, *(one.task for one in self._owned.values())]
        await asyncio.wait(tasks, timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    def _forget_ended(self) -> BaseException | None:
        """Forget the partitions that have ended; the first failure among them."""
        failure: BaseException | None = None
        for number, one in list(self._owned.items()):
            if one.task.done():
                del self._owned[number]
                failure = failure or self._ended.failure_of(number, one.task)
        return failure


async def _each(steps: Iterable[Awaitable[None]]) -> None:
    """Take all steps at once, and only then raise what one of those raised that failed.

    A node of a cluster that is away must not cost the partitions of the others. What nobody
    foresaw is raised first, for the rest is tried again anyway.
    """
    results = await asyncio.gather(*steps, return_exceptions=True)
    failed = [result for result in results if result is not None]
    for error in sorted(failed, key=lambda error: isinstance(error, AWAY_OR_REFUSING)):
        raise error


def _shares(member: str, members: Collection[str], layouts: Iterable[range]) -> set[int]:
    """What `member` owns of each layout, so that those in force are shared evenly."""
    return {
        layout[number] for layout in layouts for number in share_of(member, members, len(layout))
    }


def share_of(member: str, members: Collection[str], partitions: int) -> set[int]:
    """The partitions of a layout that `member` owns when exactly `members` live, from 0 on.

    Rendezvous hashing, so that few partitions move when a process comes or goes, with a bound:
    shares differ by one at most. https://en.wikipedia.org/wiki/Rendezvous_hashing
    """
    least, larger_left = divmod(partitions, max(len(members), 1))
    counts = dict.fromkeys(members, 0)
    share: set[int] = set()
    for partition in range(partitions):
        most = least + 1 if larger_left else least
        free = (name for name, count in counts.items() if count < most)
        owner = max(free, key=lambda name: _weight(name, partition), default=None)
        if owner is None:
            continue
        if counts[owner] == least:
            larger_left -= 1
        counts[owner] += 1
        if owner == member:
            share.add(partition)
    return share


def _weight(member: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()
