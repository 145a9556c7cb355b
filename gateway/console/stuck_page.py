"""Answers which entries a group has in hand, for how long, and how they failed last."""

import asyncio
from typing import Final

from msgspec import Struct

from gateway.console.page_question import PageQuestion
from gateway.ops.entries_in_hand import EntriesInHand, entries_in_hand
from gateway.ops.group_interventions import streams_of_groups

__all__ = ["NAME", "StuckAnswer", "load"]

NAME: Final = "stuck"
_SHOWN: Final = 20
_MOST: Final = 200


class StuckAnswer(Struct, frozen=True, kw_only=True):
    """What each group has in hand, the oldest first; or the group that was asked for."""

    groups: list[EntriesInHand]


async def load(question: PageQuestion) -> StuckAnswer:
    """The oldest entries in hand; raises OperatorError for a group that is not there."""
    group, portal = question.fields.get("group"), question.fields.get("portal")
    limit = question.number("limit", _SHOWN, most=_MOST)
    streams = question.streams
    names = (
        [group]
        if group
        else sorted(await question.ask(lambda redis: streams_of_groups(redis, streams)))
    )
    found = await question.ask(
        lambda redis: asyncio.gather(
            *(entries_in_hand(redis, streams, one, portal=portal, limit=limit) for one in names)
        )
    )
    return StuckAnswer(groups=list(found))
