"""Talks to a Redis Cluster by redis-py's client, whose failures are made like those of its others.

While nodes change their roles redis-py closes the connections of a cluster's client whoever uses
them, and takes slots and nodes out of its tables whoever looks for them. Then it fails with an
AttributeError, KeyError or IndexError of its own, which nobody would take for a reason to try
again: https://github.com/redis/redis-py/issues/4287
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.exceptions import AskError, MovedError
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.redis_access.connection_kinds import TcpConnection, TlsConnection, closed_as_away

__all__ = ["ClusterClient"]

_REDIRECTIONS: Final = 3
"""How often a slot is followed: its nodes may have changed places since anybody asked."""


class ClusterClient(RedisCluster):
    """A client whose commands wait for a connection, and fail as those of other clients do."""

    def __init__(self, *, at_once: int | None, waits_s: float | None, **options: Any) -> None:
        super().__init__(**options)
        # redis-py takes no other kind of connection than its own.
        kind = TlsConnection if options.get("ssl") else TcpConnection
        self.connection_kwargs["connection_class"] = kind
        for node in self.startup_nodes:
            node.connection_class = kind
        self._places = asyncio.Semaphore(at_once) if at_once and waits_s else None
        self._waits_s = waits_s

    async def initialize(self, *args: Any, **kwargs: Any) -> Any:
        """Ask for nodes and slots; raises ConnectionError if there is no node that has slots."""
        async with self.failing_as_others():
            return await super().initialize(*args, **kwargs)

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out a command; raises ConnectionError when another task has changed its ways."""
        if self._places is None:
            return await self._carried_out(*args, **kwargs)
        try:
            async with asyncio.timeout(self._waits_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise RedisConnectionError("No connection available.") from error
        try:
            return await self._carried_out(*args, **kwargs)
        finally:
            self._places.release()

    async def together(self, key: str, *commands: Sequence[Any]) -> list[Any]:
        """Carry out commands in turn, on one connection to the node that holds a key.

        In a pipeline of redis-py each command goes to a node of its own, and one without a key to
        any: WAIT then tells of a node that wrote nothing. A node that says where the key is now
        has carried out none of the commands that need it. Raises what the first of them that
        failed was answered; whoever is told so may find that it was carried out.
        """
        async with self.failing_as_others():
            await self.initialize()
            node, asking = self.get_node_from_key(key), False
            for _ in range(_REDIRECTIONS):
                if node is None:
                    break
                try:
                    return await self._on_node(node, commands, asking=asking)
                except MovedError as error:
                    await self.nodes_manager.move_slot(error)
                    node, asking = self.get_node_from_key(key), False
                except AskError as error:
                    node, asking = self.get_node(host=error.host, port=error.port), True
                except RedisConnectionError:
                    await self.aclose()  # so that the next call asks for the slots anew
                    raise
        raise RedisConnectionError(f"no node holds {key} now")

    async def _on_node(
        self, node: ClusterNode, commands: Sequence[Sequence[Any]], *, asking: bool
    ) -> list[Any]:
        pipeline = self.pipeline()
        if asking:
            pipeline.execute_command("ASKING", target_nodes=node)
        for command in commands:
            pipeline.execute_command(*command, target_nodes=node)
        replies = await pipeline.execute(allow_redirections=False)
        return replies[1:] if asking else replies

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """A pipeline that fails as commands do."""
        if shard_hint:
            return super().pipeline(transaction, shard_hint)
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # so is redis-py's own

    @asynccontextmanager
    async def failing_as_others(self) -> AsyncIterator[None]:
        """Raise ConnectionError for what redis-py raises when another task has changed its ways."""
        try:
            with closed_as_away():
                yield
        except AttributeError as error:
            if error.obj is not None:
                raise
            raise RedisConnectionError("closed meanwhile by another task") from error
        except LookupError as error:
            await self.aclose()  # so that the next command asks for the slots anew
            raise RedisConnectionError("no node is known for this slot now") from error

    async def _carried_out(self, *args: Any, **kwargs: Any) -> Any:
        async with self.failing_as_others():
            return await super().execute_command(*args, **kwargs)


class _Pipeline(ClusterPipeline):
    def __init__(self, client: ClusterClient, transaction: Any) -> None:
        super().__init__(client, transaction)
        self._of = client

    async def execute(
        self,
        raise_on_error: bool = True,  # noqa: FBT001, FBT002 - as in redis-py
        allow_redirections: bool = True,  # noqa: FBT001, FBT002
    ) -> list[Any]:
        """Carry out what was queued; raises as a command does."""
        async with self._of.failing_as_others():
            return await super().execute(raise_on_error, allow_redirections)
