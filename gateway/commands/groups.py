"""`gateway groups` shows how far each group is, lets it wait, and removes it."""

import asyncio

import click
from msgspec import to_builtins

from gateway.commandline import settings_of
from gateway.commands import group_pausing, group_removing, group_striking
from gateway.ops.answer_times import answering
from gateway.ops.group_interventions import GroupInterventions
from gateway.ops.group_standings import GroupStanding, standings
from gateway.ops.partition_standing import PartitionStanding, partition_standing
from gateway.ops.text_tables import table
from gateway.settings import Settings
from gateway.status.quantities import counted
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.group("groups", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    r"""Each stream and group: length, lag, pending, dead letters, owner.

    Below the table: into how many partitions events are spread, what is paused, and what is struck.
    A group begins with new partitions when it has handled all that is on former ones. The commands
    below pause a group, strike events, and remove a group.

    \b
    LAG      entries that the group was not given yet
    PENDING  entries that it was given and has not handled; OLDEST is the age of the oldest
    AGAIN    entries that it is given again, by a replay or a retry
    PAUSED   whether an operator lets it wait: whole, or in part (some portals or types)

    \b
    gateway groups
    gateway groups pause notifier --until 2h --portal acme.bitrix24.com

    More: docs/operations.md#pausing-a-consumer
    """
    if context.invoked_subcommand is not None:
        return
    found, partitions = asyncio.run(_standings(settings_of(context)))
    if as_json:
        for standing in found:
            click.echo(json_line({**to_builtins(standing), "partitions": partitions.count}))
        return
    head = (
        *("STREAM", "GROUP", "LENGTH", "LAG", "PENDING", "OLDEST", "AGAIN", "DEAD"),
        *("PAUSED", "OWNER"),
    )
    click.echo(table(head, [_row(standing) for standing in found], right=("LAG",)))
    click.echo(_partitions(partitions))
    for group, wishes in sorted(_wishes(found).items()):
        for pause in wishes.pauses:
            click.echo(printable(f"{group} is paused: {pause}"))
        for strike in wishes.strikes:
            click.echo(printable(f"{group} has struck: {strike}"))


for _command in (
    *group_pausing.COMMANDS,
    *group_striking.COMMANDS,
    *group_removing.COMMANDS,
):
    command.add_command(_command)


async def _standings(settings: Settings) -> tuple[list[GroupStanding], PartitionStanding]:
    streams = settings.redis.streams
    async with answering(settings.redis) as redis:
        return await standings(redis, streams), await partition_standing(redis, streams)


def _partitions(one: PartitionStanding) -> str:
    spread = f"events are spread into {counted(one.count, 'partition')} ({one.numbers})"
    if one.former:
        spread += f", after {one.former} former ones, to which nothing is added"
    if one.following is not None:
        spread += f"; a change is under way: {one.remedy}"
    return spread


def _wishes(found: list[GroupStanding]) -> dict[str, GroupInterventions]:
    return {
        one.group: GroupInterventions(group=one.group, pauses=one.pauses, strikes=one.strikes)
        for one in found
    }


def _row(standing: GroupStanding) -> tuple[object, ...]:
    return (
        f"{standing.stream}/{standing.partition}",
        standing.group,
        standing.length,
        f"~{standing.lag}" if standing.lag_is_estimate else standing.lag,
        standing.pending,
        f"{standing.oldest_pending_s:.0f}s" if standing.pending else None,
        standing.redeliveries,
        standing.dead_letters,
        GroupInterventions(group=standing.group, pauses=standing.pauses).paused,
        "after former ones" if standing.waits_for_former else standing.owner,
    )
