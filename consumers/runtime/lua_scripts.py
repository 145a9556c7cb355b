"""Calls the scripts of `lua/`, with types: everything that must be decided by the server.

Each touches the keys of one partition only, which share a cluster slot, and each may be carried
out twice: the client that calls them repeats a command whose reply it lost.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from consumers.runtime.partition_keys import PartitionKeys
from gateway.redis_access import lua

__all__ = ["Acquired", "Emitted", "Inspection", "LeaseNote", "Scripts"]

_SOME: Final = 1000
# Entries of one call: each takes the server a few microseconds.


class Acquired(Struct, frozen=True):
    """A lease that was free: its epoch, and where the last owner stood on which stream.

    `missed_count` is what the last owner knew to be missing, see Progress; None if it knew nothing.
    `erased_count` is how many entries it told of as erased.
    """

    epoch: int
    stream: str
    position: str
    missed_count: int | None
    erased_count: int


class LeaseNote(Struct, frozen=True):
    """What an owner leaves in its lease for the next one, for a stream of this name."""

    stream: str
    position: str
    missed_count: int | None
    erased_count: int

    @property
    def arguments(self) -> tuple[str, str, str, int]:
        """As the scripts take it."""
        missed = "" if self.missed_count is None else str(self.missed_count)
        return self.stream, self.position, missed, self.erased_count


class Inspection(Struct, frozen=True):
    """How a group stands on a partition, at one moment; ids are `<ms>-<sequence>`.

    `read_count` is the server's count of the entries it gave the group, -1 where it has none that
    can be believed. `erased_count` is how many entries were ever erased on request that the
    group had still to read.
    """

    length: int
    added_count: int
    first_id: str
    last_id: str
    delivered_id: str
    read_count: int
    pending_count: int
    oldest_pending_id: str
    redelivery_count: int
    dead_count: int
    erased_count: int
    now_ms: int

    @property
    def unsettled_count(self) -> int:
        """How many entries are pending, of the stream and of the redeliveries."""
        return self.pending_count + self.redelivery_count


class Emitted(Struct, frozen=True):
    """What an entry became, encoded; each write is a command, its key and its arguments."""

    id: bytes
    is_redelivery: bool
    is_old: bool
    events: Sequence[bytes]
    writes: Sequence[Sequence[str | bytes | int | float]]


class Scripts:
    """Calls the scripts on one client for short commands."""

    def __init__(self, client: Redis) -> None:
        def script(name: str) -> Any:
            return lua.script(client, "consumers.runtime", f"lua/{name}.lua")

        self._client = client
        self._acquire = script("acquire")
        self._renew = script("renew")
        self._release = script("release")
        self._beat = script("beat")
        self._ack = script("ack")
        self._bury = script("bury")
        self._give_back = script("give_back")
        self._emit = script("emit")
        self._inspect = script("inspect")
        self._look = script("look")
        self._rehearse = script("rehearse")
        self._open_balance = script("open_balance")

    async def acquire(self, lease: str, owner: str, *, ttl_ms: int) -> Acquired | None:
        """Take a lease; None if another process holds it."""
        epoch, *rest = await self._acquire(keys=[lease], args=[owner, ttl_ms])
        if epoch == 0:
            return None
        stream, position, missed, erased = (one.decode() for one in rest)
        return Acquired(epoch, stream, position, int(missed) if missed else None, int(erased or 0))

    async def renew(
        self, leases: Sequence[tuple[str, int, LeaseNote]], owner: str, *, ttl_ms: int
    ) -> list[bool]:
        """Renew leases, each given as its key, its epoch and what is kept; whether each is held."""
        args: list[Any] = [owner, ttl_ms]
        for _key, epoch, kept in leases:
            args += (epoch, *kept.arguments)
        held = await self._renew(keys=[lease[0] for lease in leases], args=args)
        return [bool(one) for one in held]

    async def release(self, lease: str, owner: str, epoch: int, kept: LeaseNote) -> None:
        """Give a lease up, if it is still held."""
        await self._release(keys=[lease], args=[owner, epoch, *kept.arguments])

    async def beat(self, members: str, member: str, *, ttl_ms: int) -> list[str]:
        """Say that a process lives; the living ones of its group."""
        return [name.decode() for name in await self._beat(keys=[members], args=[member, ttl_ms])]

    async def leave(self, members: str, member: str) -> None:
        """Say that a process ends."""
        await self._client.zrem(members, member)

    async def ack(
        self,
        keys: tuple[str, str, str, str, str],
        *,
        epoch: int,
        group: str,
        ids: Sequence[bytes],
        passed_over_ids: Sequence[bytes] = (),
        redelivered_ids: Sequence[bytes],
        noted: Sequence[str] = (),
    ) -> bool:
        """Acknowledge; false if another process owns the partition now.

        `keys` are the lease, the stream, the redeliveries, the failed attempts and the balance;
        `noted` are the fields of these in the last but one. Those that nobody handles count apart.
        """
        counts = (len(ids), len(passed_over_ids), len(redelivered_ids))
        args = [epoch, group, *counts, *ids, *passed_over_ids, *redelivered_ids, *noted]
        return bool(await self._ack(keys=keys, args=args) == 1)

    async def emit(
        self,
        keys: tuple[str, str, str, str, str, str, str],
        *,
        epoch: int,
        group: str,
        max_remembered: int,
        emitted: Sequence[Emitted],
        noted: Sequence[str] = (),
    ) -> bool:
        """Write and acknowledge, each entry once; false if another process owns the partition now.

        `keys` are the lease, the output, the memory of what was written, the stream, the
        redeliveries, the failed attempts and the balance; `noted` are the fields of these in the
        last but one. Raises ResponseError, with whole entries done or not begun.
        """
        numbers = {key: number for number, key in enumerate(keys, start=1)}
        args: list[Any] = [epoch, group, max_remembered, len(noted), *noted]
        for one in emitted:
            args += (int(one.is_redelivery), one.id, int(one.is_old), len(one.events), *one.events)
            args.append(len(one.writes))
            for command, key, *arguments in one.writes:
                number = numbers.setdefault(str(key), len(numbers) + 1)
                args += (command, number, len(arguments), *arguments)
        return bool(await self._emit(keys=list(numbers), args=args) == 1)

    async def bury(
        self,
        keys: tuple[str, str, str, str, str],
        *,
        epoch: int,
        group: str,
        entry_id: bytes,
        max_count: int,
        is_redelivery: bool,
        fields: dict[str, bytes | str | int],
        noted: str = "",
    ) -> bool:
        """Move an entry to the dead letters; false if another process owns the partition now.

        `keys` are the lease, the entry's stream, the dead letters, the failed attempts and the
        balance; `noted` is its field in the last but one. `is_redelivery` says that the stream is
        that of the group's redeliveries, from which the entry is deleted.
        """
        args: list[Any] = [epoch, group, entry_id, max_count, "delete" if is_redelivery else "keep"]
        args.append(noted)
        for name, value in fields.items():
            args += (name, value)
        return bool(await self._bury(keys=keys, args=args) >= 0)

    async def give_back(
        self,
        keys: tuple[str, str],
        *,
        epoch: int,
        group: str,
        consumer: str,
        deliveries: int,
        ids: Sequence[bytes],
    ) -> list[bytes] | None:
        """Set the counts of deliveries of pending entries; None if another process owns them now.

        `keys` are the lease and the stream. Returns the ids of those that have lost their payload;
        what is not pending any more was erased on request, and is passed over.
        """
        lost: list[bytes] = []
        for first in range(0, len(ids), _SOME):
            args = [epoch, group, consumer, deliveries, *ids[first : first + _SOME]]
            some: list[bytes] | None = await self._give_back(keys=keys, args=args)
            if some is None:
                return None
            lost += some
        return lost

    async def rehearse(self, keys: Sequence[str], *, group: str) -> None:
        """Try what a group has to be allowed on a partition, to no effect.

        `keys` are the lease, the stream, the redeliveries, the dead letters, the failed attempts
        and, if there is an output, that and the memory of what was written. Raises ResponseError
        if this user lacks a right.
        """
        await self._rehearse(keys=keys, args=[group])

    async def look(
        self, stream: str, *, group: str, after: bytes, most: int
    ) -> list[tuple[bytes, int, dict[bytes, bytes]]]:
        """Pending entries behind an id: id, deliveries, fields; no fields if these are lost."""
        rows: Any = await self._look(keys=[stream], args=[group, after, most])
        return [
            (entry_id, deliveries, dict(zip(fields[::2], fields[1::2], strict=True)))
            for entry_id, deliveries, fields in rows
        ]

    async def open_balance(self, keys: PartitionKeys, *, is_new: bool) -> None:
        """Begin a group's balance on a partition, where it has none, or the group itself `is_new`.

        May be repeated.
        """
        await self._open_balance(
            keys=[keys.shared.key, keys.balance, keys.lease],
            args=[keys.group, "anew" if is_new else ""],
        )

    async def inspect(self, keys: tuple[str, str, str, str], *, group: str) -> Inspection:
        """Look at a partition.

        `keys` are the stream, the redeliveries, the dead letters and the lease.
        """
        values: list[Any] = [
            value.decode() if isinstance(value, bytes) else value
            for value in await self._inspect(keys=keys, args=[group])
        ]
        return Inspection(*values)
