"""`gateway groups` shows how far each group is."""

import asyncio

import click

from gateway.commandline import settings_of
from gateway.ops.group_standings import GroupStanding, standings
from gateway.ops.text_tables import table
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["command"]


@click.command("groups")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Each stream and group: length, lag, pending, dead letters, owner."""
    found = asyncio.run(_standings(settings_of(context)))
    if as_json:
        for standing in found:
            click.echo(json_line(standing))
        return
    head = ("STREAM", "GROUP", "LENGTH", "LAG", "PENDING", "OLDEST", "AGAIN", "DEAD", "OWNER")
    click.echo(table(head, [_row(standing) for standing in found], right=("LAG",)))


async def _standings(settings: Settings) -> list[GroupStanding]:
    async with connections.control(settings.redis.url) as redis:
        return await standings(redis, settings.redis.streams)


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
        standing.owner,
    )
