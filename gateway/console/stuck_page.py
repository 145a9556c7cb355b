"""Answers which entries a group has in hand, for how long, and how they failed last."""

import asyncio
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.console.page_question import PageQuestion
from gateway.ops.entries_in_hand import EntriesInHand, entries_in_hand
from gateway.ops.group_interventions import streams_of_groups

__all__ = ["NAME", "StuckAnswer", "load"]

NAME: Final = "stuck"
_SHOWN: Final = 20
_MOST: Final = 200
_MOST_LOOKED: Final = 500
_MOST_LOOKED_LONGER: Final = 5000


class StuckAnswer(Struct, frozen=True, kw_only=True):
    """What each group has in hand, the oldest first; or the group that was asked for."""

    groups: list[EntriesInHand]


async def load(question: PageQuestion) -> StuckAnswer:
    """The oldest entries in hand; raises OperatorError for a group that is not there."""
    group, portal = question.fields.get("group"), question.fields.get("portal")
    limit = question.number("limit", _SHOWN, most=_MOST)
    most_looked = _MOST_LOOKED_LONGER if question.is_set("longer") else _MOST_LOOKED
    streams = question.streams
    names = (
        [group]
        if group
        else sorted(await question.ask(lambda redis: streams_of_groups(redis, streams)))
    )

    async def of(redis: Redis, name: str) -> EntriesInHand:
        return await entries_in_hand(
            redis, streams, name, portal=portal, limit=limit, most_looked=most_looked
        )

    found = await question.ask(lambda redis: asyncio.gather(*(of(redis, one) for one in names)))
    return StuckAnswer(groups=list(found))
