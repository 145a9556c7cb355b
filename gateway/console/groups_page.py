"""Answers how streams and groups stand on each partition, and what of them is paused or struck."""

from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.console.page_question import PageQuestion
from gateway.ops.group_interventions import GroupInterventions
from gateway.ops.group_standings import GroupStanding, standings
from gateway.ops.partition_standing import PartitionStanding, partition_standing
from gateway.status.group_summary import GroupSummary, summaries

__all__ = ["NAME", "GroupRow", "GroupsAnswer", "load"]

NAME: Final = "groups"


class GroupRow(Struct, frozen=True, kw_only=True):
    """A group on a stream: its partitions together, each by itself, and what is wanted of it."""

    summary: GroupSummary
    interventions: GroupInterventions
    partitions: list[GroupStanding]


class GroupsAnswer(Struct, frozen=True):
    """All groups, by stream and name; and into how many partitions events are spread."""

    groups: list[GroupRow]
    partitions: PartitionStanding


async def load(question: PageQuestion) -> GroupsAnswer:
    """All groups; raises one of connections.FAILURES."""

    async def ask(redis: Redis) -> tuple[list[GroupStanding], PartitionStanding]:
        streams = question.streams
        return await standings(redis, streams), await partition_standing(redis, streams)

    found, partitions = await question.ask(ask)
    return GroupsAnswer([_row(one, found) for one in summaries(found)], partitions)


def _row(summary: GroupSummary, found: list[GroupStanding]) -> GroupRow:
    own = [one for one in found if (one.group, one.stream) == (summary.group, summary.stream)]
    wishes = GroupInterventions(group=summary.group, pauses=own[0].pauses, strikes=own[0].strikes)
    return GroupRow(summary=summary, interventions=wishes, partitions=own)
