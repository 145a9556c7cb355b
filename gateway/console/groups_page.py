"""Answers how streams and groups stand on each partition, and what of them is paused or struck."""

from typing import Final

from msgspec import Struct

from gateway.console.page_question import PageQuestion
from gateway.ops.group_interventions import GroupInterventions
from gateway.ops.group_standings import GroupStanding, standings
from gateway.status.group_summary import GroupSummary, summaries

__all__ = ["NAME", "GroupRow", "GroupsAnswer", "load"]

NAME: Final = "groups"


class GroupRow(Struct, frozen=True, kw_only=True):
    """A group on a stream: its partitions together, each by itself, and what is wanted of it."""

    summary: GroupSummary
    interventions: GroupInterventions
    partitions: list[GroupStanding]


class GroupsAnswer(Struct, frozen=True):
    """All groups, by stream and name."""

    groups: list[GroupRow]


async def load(question: PageQuestion) -> GroupsAnswer:
    """All groups; raises one of connections.FAILURES."""
    found = await question.ask(lambda redis: standings(redis, question.streams))
    return GroupsAnswer([_row(one, found) for one in summaries(found)])


def _row(summary: GroupSummary, found: list[GroupStanding]) -> GroupRow:
    own = [one for one in found if (one.group, one.stream) == (summary.group, summary.stream)]
    wishes = GroupInterventions(group=summary.group, pauses=own[0].pauses, strikes=own[0].strikes)
    return GroupRow(summary=summary, interventions=wishes, partitions=own)
