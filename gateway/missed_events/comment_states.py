"""Keeps what consumers were last told of comments, by the entities that these belong to.

    b24:told:{<member id>}             zset: "<type>:<id>" of entities, by when last seen (ms)
    b24:told:{<member id>}:<entity>    hash: comment id -> "<content hash> <since>",
                                       "listed" -> "<when, ms> <highest id>"
    b24:told-position                  hash: partition of `comments` -> id of the last entry read

It is read off the stream `comments`, where the enricher says what a comment was like. Only the
entities seen last are kept, so many of each portal, and all of it for some days only: what has
expired is seen for the first time again. One process at a time writes here; what it did not get to
write, the next one finds out again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from gateway.contract import (
    EVENT_FIELD,
    Comment,
    CommentEvent,
    EntryId,
    InvalidEvent,
    Streams,
    decode_event,
)
from gateway.missed_events.comment_comparison import Entity, KnownEntity, Listing, ToldContent

__all__ = ["CommentStates"]

_PAGE: Final = 500
_LISTED: Final = b"listed"


class CommentStates:
    """Keeps the last state that consumers saw of each comment.

    Every method raises one of connections.FAILURES, and may be repeated.

    `client` is a control client (gateway.redis_access.connections.control).
    """

    def __init__(
        self, client: Redis, streams: Streams, *, max_entities: int, kept_days: float
    ) -> None:
        self._client = client
        self._streams = streams
        self._max_entities = max_entities
        self._kept_s = int(kept_days * 24 * 3600)
        self._lock = asyncio.Lock()

    async def catch_up(self) -> None:
        """Take in what consumers were told until now."""
        async with self._lock:
            positions: Any = await self._client.hgetall(self._position_key)
            for partition in self._streams.numbers:
                position = positions.get(b"%d" % partition, b"0").decode()
                await self._read(partition, position)

    async def entities(self, member_id: str) -> list[tuple[Entity, KnownEntity]]:
        """The entities of a portal with what is known of them, those listed longest ago first."""
        oldest_ms = int((time.time() - self._kept_s) * 1000)
        names: Any = await self._client.zrange(
            self._key(member_id),
            "+inf",
            oldest_ms,
            byscore=True,
            desc=True,
            offset=0,
            num=self._max_entities,
        )
        entities = [Entity.of(name.decode()) for name in names]
        if not entities:
            return []
        async with self._client.pipeline(transaction=False) as pipeline:
            for entity in entities:
                pipeline.hgetall(self._key(member_id, entity))
            all_fields: list[Any] = await pipeline.execute()
        found = list(zip(entities, map(_known, all_fields), strict=True))
        return sorted(found, key=lambda one: one[1].listed_ms)

    async def known(self, member_id: str, entity: Entity) -> KnownEntity:
        """What is known of an entity now."""
        fields: Any = await self._client.hgetall(self._key(member_id, entity))
        return _known(fields)

    async def note(
        self,
        member_id: str,
        entity: Entity,
        listing: Listing,
        known: KnownEntity,
        *,
        listed_ms: int,
    ) -> None:
        """Note that consumers know what a list says.

        What they were told since `known` was read is left as it is.
        """
        key = self._key(member_id, entity)
        async with self._lock:
            told, since_told = known.told, (await self.known(member_id, entity)).told
            ours = {
                one
                for one in (*listing.hashes, *told)
                if told.get(one) == since_told.get(one)  # nobody was told of it since
            }
            fields: dict[str | bytes, str] = {
                str(one): f"{found} listed-{listed_ms}"
                for one, found in listing.hashes.items()
                if one in ours and (one not in told or told[one].content_hash != found)
            }
            gone = [str(one) for one in told if one in ours and one not in listing.hashes]
            highest_id = max(listing.hashes, default=known.highest_id)
            fields[_LISTED] = f"{listed_ms} {max(highest_id, known.highest_id)}"
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hset(key, mapping=fields)  # type: ignore[arg-type]
                if gone:
                    pipeline.hdel(key, *gone)
                pipeline.expire(key, self._kept_s)
                await pipeline.execute()

    async def forget(self, member_id: str, entity: Entity) -> None:
        """Look after an entity no more, until it is seen again."""
        async with self._lock, self._client.pipeline(transaction=True) as pipeline:
            pipeline.zrem(self._key(member_id), str(entity))
            pipeline.delete(self._key(member_id, entity))
            await pipeline.execute()

    async def _read(self, partition: int, position: str) -> None:
        key = self._streams.key("comments", partition)
        while True:
            page: Any = await self._client.xrange(key, f"({position}", "+", count=_PAGE)
            if not page:
                return
            await self._take_in(page)
            position = page[-1][0].decode()
            await self._client.hset(self._position_key, str(partition), position)
            if len(page) < _PAGE:
                return

    async def _take_in(self, page: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        seen: dict[str, dict[str, int]] = defaultdict(dict)
        async with self._client.pipeline(transaction=False) as pipeline:
            for entry_id, fields in page:
                told = _told(fields)
                if told is None:
                    continue
                member_id, comment_id, entity, comment = told
                key = self._key(member_id, entity)
                seen[member_id][str(entity)] = EntryId.of(entry_id).ms
                if comment.state == "deleted":
                    pipeline.hdel(key, str(comment_id))
                elif comment.content_hash:
                    told_text = f"{comment.content_hash} {entry_id.decode()}"
                    pipeline.hset(key, str(comment_id), told_text)
                    pipeline.expire(key, self._kept_s)
            for member_id, entities in seen.items():
                key = self._key(member_id)
                pipeline.zadd(key, entities)
                pipeline.zremrangebyrank(key, 0, -self._max_entities - 1)
                pipeline.expire(key, self._kept_s)
            await pipeline.execute()

    def _key(self, member_id: str, entity: Entity | None = None) -> str:
        portal = f"{self._streams.prefix}:told:{{{member_id}}}"
        return portal if entity is None else f"{portal}:{entity}"

    @property
    def _position_key(self) -> str:
        return f"{self._streams.prefix}:told-position"


def _told(fields: Mapping[bytes, bytes]) -> tuple[str, int, Entity, Comment] | None:
    """Portal, comment, entity and content, if an entry says something of all of them."""
    try:
        event = decode_event(fields.get(EVENT_FIELD, b""))
    except InvalidEvent:
        return None
    if not isinstance(event, CommentEvent) or not isinstance(event.data.comment, Comment):
        return None
    comment = event.data.comment
    if not comment.entity_type or not comment.entity_id:
        return None
    entity = Entity(comment.entity_type, comment.entity_id)
    return event.data.member_id, event.data.comment_id, entity, comment


def _known(fields: Mapping[bytes, bytes]) -> KnownEntity:
    listed_ms, _, highest_id = fields.get(_LISTED, b"0 0").partition(b" ")
    told = {}
    for name, text in fields.items():
        if name != _LISTED:
            content_hash, _, since = text.decode().partition(" ")
            told[int(name)] = ToldContent(content_hash, since)
    return KnownEntity(told=told, listed_ms=int(listed_ms), highest_id=int(highest_id))
