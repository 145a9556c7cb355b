"""Writing a batch to a stream in one atomic, repeatable script call, at a chosen durability."""

import re
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final

from msgspec import Struct
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from gateway import connections
from gateway.connections import AWAY
from gateway.publishing.errors import StreamUnavailable
from gateway.settings import Publish, Redis

__all__ = ["Ack", "StreamWriter", "stream_writer"]

SCRIPT: Final = files("gateway.publishing").joinpath("publish.lua").read_text()
SCRIPT_SHA: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
REMEMBER_S: Final = 7 * 24 * 3600
# How long a producer's last batch is known: longer than any outage that a spool can bridge.


class Ack(Struct, frozen=True):
    """What Redis must have done with a batch before its requests are answered 200.

    `fsynced` means on the disk of the primary; `replicas` in the memory of so many others.
    """

    fsynced: bool = False
    replicas: int = 0

    @classmethod
    def parse(cls, text: str) -> "Ack":
        """From the setting `publish.ack`: `written`, `fsynced` or `replicated:<n>`."""
        replicas = re.fullmatch(r"replicated:(\d+)", text)
        return cls(fsynced=text == "fsynced", replicas=int(replicas[1]) if replicas else 0)


class StreamWriter:
    """Writes batches to one stream.

    `client` must be a publisher's (gateway.connections.publisher): one that never repeats a
    command on its own. `wait_s` is how long disk or replicas may take; `waits_for_disk` is false
    where the server fsyncs before it answers (`appendfsync always`).
    """

    def __init__(
        self, client: Any, *, stream: str, ack: Ack, wait_s: float, waits_for_disk: bool = True
    ) -> None:
        self._client = client
        self._stream = stream
        self._wait: tuple[Any, ...] | None = None
        self._wanted: tuple[int, ...] = ()
        wait_ms = max(1, int(wait_s * 1000))  # 0 would wait for ever
        if ack.replicas:
            self._wait, self._wanted = ("WAIT", ack.replicas, wait_ms), (ack.replicas,)
        elif ack.fsynced and waits_for_disk:
            self._wait, self._wanted = ("WAITAOF", 1, 0, wait_ms), (1, 0)

    async def write(self, memory: str, sequence: int, events: list[bytes]) -> bytes:
        """Append a batch; returns the entries' ids, separated by spaces.

        `memory` is the key that remembers the last batch of the batch's producer. Idempotent for
        the last sequence number: repeating it returns the ids of the first time; for an earlier
        one, which must have been stored, it does nothing and returns none. Raises
        StreamUnavailable; then the batch may have been written. Not to be called twice at the
        same time. Takes as long as Redis takes: cancel it at a deadline, which counts as no answer.
        """
        arguments = (2, self._stream, memory, sequence, REMEMBER_S, *events)
        try:
            try:
                return await self._call("EVALSHA", SCRIPT_SHA, arguments)
            except NoScriptError:  # a new server, or one that was restarted or failed over
                return await self._call("EVAL", SCRIPT, arguments)
        except AWAY as error:
            raise StreamUnavailable("away", f"{type(error).__name__}: {error}") from error
        except ReadOnlyError as error:
            # A primary that was made a replica keeps its connections; a new one leads to whoever
            # has the address now.
            await self._client.aclose()
            raise StreamUnavailable("refused", str(error)) from error
        except RedisError as error:
            raise StreamUnavailable("refused", str(error)) from error

    async def _call(self, command: str, script: str, arguments: tuple[Any, ...]) -> bytes:
        if self._wait is None:
            ids: bytes = await self._client.execute_command(command, script, *arguments)
            return ids
        # One connection for both: WAIT and WAITAOF look at what their own connection wrote.
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command(command, script, *arguments)
        pipeline.execute_command(*self._wait)
        ids, reached = await pipeline.execute()
        counts = (reached,) if isinstance(reached, int) else tuple(reached)
        if any(got < wanted for got, wanted in zip(counts, self._wanted, strict=True)):
            raise StreamUnavailable("not_durable", f"{self._wait[0]} reached {counts}")
        return bytes(ids)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def stream_writer(redis: Redis, settings: Publish, partition: int) -> StreamWriter:
    """A writer of a partition of `events`, with a connection of its own."""
    return StreamWriter(
        connections.publisher(redis.url),
        stream=redis.streams.key("events", partition),
        ack=Ack.parse(settings.ack),
        wait_s=settings.deadline_s * 0.9,
    )
