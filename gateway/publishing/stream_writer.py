"""Writes batches to a stream in one atomic, repeatable script call, at a chosen durability."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any, Final, NamedTuple

import structlog
from hiredis import pack_command
from redis.asyncio import RedisCluster
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from gateway.balance.keys import balance_key
from gateway.publishing.durability import Ack, NotDurable, waits_for_disk
from gateway.publishing.errors import StreamUnavailable
from gateway.redis_access import connections, lua
from gateway.redis_access.cluster_client import ClusterClient
from gateway.redis_access.connections import AWAY, RedisFault, fault_of
from gateway.redis_access.direct_calls import DirectCalls
from gateway.settings import PublishSettings, RedisSettings

__all__ = ["NumberedBatch", "StreamWriter", "stream_writer"]

log: Any = structlog.get_logger(__name__)


class _Script:
    """A script of this package, and the name by which a server knows it once it has seen it."""

    def __init__(self, name: str) -> None:
        self.text = lua.source("gateway.publishing", name)
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_PUBLISH: Final = _Script("publish.lua")
_PUBLISH_ONCE: Final = _Script("publish_once.lua")
_KNOWN: Final = _Script("known.lua")
REMEMBER_S: Final = 7 * 24 * 3600
# How long a producer's last batch is known: longer than any outage that a spool can bridge.
_REMEMBER_ONCE_MS: Final = 35 * 24 * 3600 * 1000
# Longer than a portal keeps what it may give a second time: 34.2 days in its queue.


class NumberedBatch(NamedTuple):
    """A batch as Redis knows it: `memory` is the key that remembers the last batch of its producer,
    `sequence` its number there.
    """

    memory: str
    sequence: int
    events: list[bytes]


class StreamWriter:
    """Writes batches to one stream, and counts them in its partition's balance.

    `client` must be a publisher's (redis_access.connections.publisher), which repeats no command on
    its own, and `seal` the key of a partition's end. Disk or replicas may take `wait_s`.
    """

    def __init__(
        self, client: Any, *, stream: str, seal: str, balance: str, ack: Ack, wait_s: float
    ) -> None:
        self._client = client
        self._stream = stream
        self._seal = seal
        self._balance = balance
        self._ack = ack
        self._wait_ms = max(1, int(wait_s * 1000))  # 0 would wait for ever
        self._wait: tuple[Any, ...] | None = None
        self._wanted: tuple[int, ...] = ()
        self._knows_server = not ack.fsynced
        self._direct: DirectCalls | None = None
        self._tell: Callable[[bytes | None], None] | None = None
        if ack.replicas:
            self._wait, self._wanted = ("WAIT", ack.replicas, self._wait_ms), (ack.replicas,)

    def begin(
        self,
        memory: str,
        sequence: int,
        events: list[bytes],
        tell: Callable[[bytes | None], None],
    ) -> bool:
        """Append a batch as `write` does, but without a task: whether that was begun.

        It is not if there is something to connect, to find out or to wait for first. If it is,
        `tell` is called in a later turn: with the entries' ids, or with None if only `write` can
        say what became of the batch. Until then nothing else is to be called but `abandon`.
        """
        if self._wait is not None or not self._knows_server:
            return False
        if self._direct is None:
            self._direct = self._direct_calls()
        if self._direct is None or not self._direct.is_usable:
            return False
        command: tuple[Any, ...] = (
            *("EVALSHA", _PUBLISH.sha, 4),
            *(self._stream, self._balance, self._seal, memory, REMEMBER_S),
        )
        self._direct.call(
            pack_command((*command, sequence, len(events), *events)),
            self._replied,
        )
        self._tell = tell
        return True

    def abandon(self) -> None:
        """End what was begun, without a word to who is to be told."""
        self._forget_server()
        self._tell = None
        if self._direct is not None:
            self._direct.abandon()

    def _replied(self, reply: object) -> None:
        tell, self._tell = self._tell, None
        if tell is None:
            return
        if type(reply) is list:
            tell(reply[0])  # None, if the partition is a former one
        else:  # refused, or lost
            self._forget_server()
            tell(None)

    def _direct_calls(self) -> DirectCalls | None:
        """On the connection of the client, if it has one, and only one."""
        connection = None if isinstance(self._client, RedisCluster) else self._client.connection
        transport = None if connection is None else connection.transport
        if transport is None or transport.is_closing():
            return None
        return DirectCalls(transport)

    async def write(self, memory: str, sequence: int, events: list[bytes]) -> bytes:
        """Append one batch as `write_all`; its ids with spaces. Raises `sealed` instead of None."""
        (ids,) = await self.write_all([NumberedBatch(memory, sequence, events)])
        if ids is None:
            raise StreamUnavailable("sealed", f"nothing new is put on {self._stream}")
        return ids

    async def write_all(self, batches: Sequence[NumberedBatch]) -> list[bytes | None]:
        """Append batches in their order, all of them or none; returns the entries' ids of each, or
        None of one that is not taken, and never will be, since the partition is a former one.

        Idempotent for the last sequence number of each producer: repeating it returns the first
        ids; for an earlier one, which must have been stored, it does nothing and returns none.
        Raises StreamUnavailable; then the batches may have been written. One call at a time. Takes
        as long as Redis takes: cancel it at a deadline, which counts as no answer.
        """
        arguments: list[Any] = [3 + len(batches), self._stream, self._balance, self._seal]
        arguments += [memory for memory, _, _ in batches]
        arguments.append(REMEMBER_S)
        for _, sequence, events in batches:
            arguments += (sequence, len(events), *events)
        ids = await self._carried_out(_PUBLISH, arguments)
        return list(ids)

    async def write_once(self, memory: str, events: Sequence[tuple[str, bytes]]) -> int:
        """Append those events, given with their ids, that were not appended so before; how many.

        `memory` is the key that remembers their ids, for 35 days. Repeatable, also by others and
        with other events; raises as `write` does.
        """
        keys = (self._stream, memory, self._balance, self._seal)
        flat = [part for event in events for part in event]
        return int(await self._carried_out(_PUBLISH_ONCE, [4, *keys, _REMEMBER_ONCE_MS, *flat]))

    async def known(self, memory: str, events: Sequence[tuple[str, bytes]]) -> set[str]:
        """The ids of those events that `write_once` has appended; raises as it does."""
        scores = await self._carried_out(_KNOWN, [1, memory, *(one for one, _ in events)])
        return {one for (one, _), score in zip(events, scores, strict=True) if score is not None}

    async def _carried_out(self, script: _Script, arguments: list[Any]) -> Any:
        """What a script returned, at the durability asked for; raises StreamUnavailable."""
        if self._direct is not None:
            self._direct.give_back()
            self._direct = None
        try:
            if not self._knows_server:
                await self._get_to_know_server()
            try:
                return await self._call("EVALSHA", script.sha, arguments)
            except NoScriptError:  # a new server, or one that was restarted or failed over
                return await self._call("EVAL", script.text, arguments)
        except NotDurable as error:
            log.error("redis cannot keep what publish.ack promises", what_to_do=str(error))
            raise StreamUnavailable("not_durable", str(error)) from error
        except AWAY as error:
            self._forget_server()
            is_refusal = fault_of(error) is RedisFault.REFUSING  # such as of a password
            raise StreamUnavailable(
                "refused" if is_refusal else "away", f"{type(error).__name__}: {error}"
            ) from error
        except ReadOnlyError as error:
            # A primary that was made a replica keeps its connections; a new one leads to whoever
            # has the address now.
            self._forget_server()
            await self._client.aclose()
            raise StreamUnavailable("refused", str(error)) from error
        except asyncio.CancelledError:  # at the deadline
            self._forget_server()
            raise
        except RedisError as error:
            is_former = str(error).startswith("SEALED")
            raise StreamUnavailable("sealed" if is_former else "refused", str(error)) from error

    def _forget_server(self) -> None:
        """Whoever answers next may be another server, or this one with other settings."""
        self._knows_server = not self._ack.fsynced

    async def _get_to_know_server(self) -> None:
        if await waits_for_disk(self._client, self._stream):
            self._wait, self._wanted = ("WAITAOF", 1, 0, self._wait_ms), (1, 0)
        else:
            self._wait = None
        self._knows_server = True

    async def _call(self, command: str, script: str, arguments: list[Any]) -> Any:
        if self._wait is None:
            return await self._alone(command, script, *arguments)
        returned, reached = await self._together((command, script, *arguments), self._wait)
        counts = (reached,) if isinstance(reached, int) else tuple(reached)
        if any(got < wanted for got, wanted in zip(counts, self._wanted, strict=True)):
            raise StreamUnavailable("not_durable", f"{self._wait[0]} reached {counts}")
        return returned

    async def _together(self, *commands: tuple[Any, ...]) -> list[Any]:
        """On one connection: WAIT and WAITAOF look at what their own connection wrote."""
        if isinstance(self._client, ClusterClient):
            return await self._client.together(self._stream, *commands)
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute()
        return replies

    async def _alone(self, *command: Any) -> Any:
        """Carry out one command, on the client's one connection if it has but one.

        redis-py's way through the client, which guards, repeats and reports, costs more than all
        else that an event costs that comes alone; here nobody else uses the connection, nothing is
        repeated, and what goes wrong closes it as it does there.
        """
        if isinstance(self._client, RedisCluster):
            return await self._client.execute_command(*command)
        connection = self._client.connection or (await self._client.initialize()).connection
        await connection.send_packed_command(pack_command(command), check_health=False)
        return await connection.read_response()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def stream_writer(redis: RedisSettings, settings: PublishSettings, partition: int) -> StreamWriter:
    """A writer of a partition of `events`, with a connection of its own."""
    return StreamWriter(
        connections.publisher(redis.url),
        stream=redis.streams.key("events", partition),
        seal=redis.streams.sealed(partition),
        balance=balance_key(redis.prefix, partition),
        ack=Ack.parse(settings.ack),
        wait_s=settings.deadline_s * 0.9,
    )
