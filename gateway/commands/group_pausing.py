"""`gateway groups pause` and `resume` let a group wait, as a whole or in part, and go on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.contract import EventSelection, Pause, Streams
from gateway.moments import MomentAhead
from gateway.ops import group_interventions as ops
from gateway.ops.answer_times import answering
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["COMMANDS"]

_PORTAL = click.option(
    "--portal", metavar="ID", help="Only events of this portal: its member id or domain."
)
_TYPE = click.option(
    "--type", "event_type", metavar="TYPE", help="Only this type: comment.updated, app.*"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("pause")
@click.argument("group", metavar="NAME")
@click.option(
    "--until", type=MomentAhead(), metavar="TIME", help="90s, 2h, 1d, ISO 8601. Default: `resume`."
)
@_PORTAL
@_TYPE
@_JSON
@click.pass_context
def pause(
    context: click.Context,
    *,
    group: str,
    until: datetime | None,
    portal: str | None,
    event_type: str | None,
    as_json: bool,
) -> None:
    r"""Let a group wait, keeping its place; it loses nothing.

    Its processes follow within about two seconds: they stay ready and keep their partitions, what
    they are handling ends, and nothing else is handed to a handler. The events stay on the stream.

    With --portal or --type only those events wait, and with them what follows of the same comment;
    all others go on.

    \b
    gateway groups pause warehouse --until 2h
    gateway groups pause enricher --portal acme.bitrix24.com

    More: docs/operations.md#pausing-a-consumer
    """
    settings = settings_of(context)
    selection = EventSelection(portal=portal, type=event_type)
    paused = asyncio.run(_pause(settings, group, selection, until))
    if as_json:
        click.echo(json_line(paused))
    else:
        click.echo(printable(f"{group} is paused: {paused}"))


@click.command("resume")
@click.argument("group", metavar="NAME")
@_PORTAL
@_TYPE
@click.option("--all", "is_all", is_flag=True, help="End all pauses of the group.")
@_JSON
@click.pass_context
def resume(
    context: click.Context,
    *,
    group: str,
    portal: str | None,
    event_type: str | None,
    is_all: bool,
    as_json: bool,
) -> None:
    r"""End a pause: that of the whole group, or that of just these events.

    The group goes on where it was; what has waited comes in its order.

    \b
    gateway groups resume warehouse
    gateway groups resume enricher --portal acme.bitrix24.com

    More: docs/operations.md#pausing-a-consumer
    """
    if is_all and (portal or event_type):
        raise click.UsageError("--all goes without --portal and --type")
    selection = None if is_all else EventSelection(portal=portal, type=event_type)
    ended, left = asyncio.run(_resume(settings_of(context), group, selection))
    if as_json:
        for one in ended:
            click.echo(json_line(one))
    for one in ended if not as_json else ():
        click.echo(printable(f"{group} is not paused any more: {one}"))
    for one in left if not as_json else ():
        click.echo(printable(f"{group} is still paused: {one}"))
    if not ended:
        click.echo(f"{group} has no such pause", err=True)
        context.exit(1)


async def _pause(
    settings: Settings, group: str, selection: EventSelection, until: datetime | None
) -> Pause:
    streams = settings.redis.streams
    async with answering(settings.redis) as redis:
        return await ops.pause_group(
            redis, streams, group, selection, until=until, now=datetime.now(UTC)
        )


async def _resume(
    settings: Settings, group: str, selection: EventSelection | None
) -> tuple[Sequence[Pause], Sequence[Pause]]:
    async with answering(settings.redis) as redis:
        ended = await ops.end_pauses(redis, settings.redis.streams, group, selection)
        return ended, await _left(redis, settings.redis.streams, group)


async def _left(redis: Redis, streams: Streams, group: str) -> Sequence[Pause]:
    return (await ops.interventions_of(redis, streams, group)).pauses


COMMANDS: Final = (pause, resume)
