"""Walks through all places, until a whole walk has found nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.erasing import entries, places
from gateway.erasing.subject import Subject
from gateway.portals.facts import PortalFacts
from gateway.settings import RedisSettings

__all__ = ["Erased", "erase"]

_MAX_WALKS: Final = 5
_PAUSE_S: Final = 1.0
# Between two walks: what a consumer had in hand reaches its outbox or its dead letters by then.


class Erased(Struct, frozen=True, kw_only=True):
    """How much was erased, by place. `is_whole`: the last walk found nothing any more."""

    found: Mapping[str, int]
    is_whole: bool


async def erase(
    redis: Redis, settings: RedisSettings, subject: Subject, *, with_access: bool
) -> Erased:
    """Erase what Redis holds of the subject, `with_access` also a portal's tokens and facts.

    Sources come before what is made of them: streams, then dead letters and outboxes; and the walk
    is repeated, since consumers go on meanwhile with what they had in hand. May be repeated itself.
    Raises one of connections.FAILURES, and then something may be left.
    """
    walks: dict[str, Callable[[], Awaitable[int]]] = _walks(
        redis, settings, subject, with_access=with_access
    )
    found: Counter[str] = Counter()
    for number in range(_MAX_WALKS):
        if number:
            await asyncio.sleep(_PAUSE_S)
        before = found.total()
        for place, walk in walks.items():
            found[place] += await walk()
        if number and found.total() == before:
            return Erased(found=dict(found), is_whole=True)
    return Erased(found=dict(found), is_whole=False)


def _walks(
    redis: Redis, settings: RedisSettings, subject: Subject, *, with_access: bool
) -> dict[str, Any]:
    streams, prefix, member_id = settings.streams, settings.prefix, subject.member_id
    walks: dict[str, Any] = {}
    if subject.comment_id is None:  # the events of a comment have ids, and no text
        walks["events"] = lambda: entries.erase_entries(redis, streams, "events", subject)
    walks["comments"] = lambda: entries.erase_entries(redis, streams, "comments", subject)
    walks["redeliveries"] = lambda: entries.erase_redeliveries(redis, streams, subject)
    walks["dead letters"] = lambda: entries.erase_dead_letters(redis, streams, subject)
    walks["failed attempts"] = lambda: places.erase_failures(redis, streams, subject)
    walks["notices that waited"] = lambda: places.erase_notices(redis, prefix, subject)
    walks["comments to be asked for"] = lambda: places.erase_refetches(redis, streams, subject)
    walks["snapshots"] = lambda: places.erase_snapshots(redis, streams, subject)
    if subject.is_portal or subject.comment_id is not None:
        walks["hashes of texts"] = lambda: places.erase_told(redis, prefix, subject)
    if subject.is_portal:
        walks["books of the portal"] = lambda: places.erase_books(redis, prefix, member_id)
    if with_access:
        walks["tokens"] = lambda: places.erase_access(redis, prefix, member_id)
        walks["facts"] = lambda: PortalFacts(redis, prefix=prefix).forget(member_id)
    return walks
