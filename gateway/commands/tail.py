"""`gateway tail` prints one readable line for each entry of a stream."""

import asyncio
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from gateway.commandline import settings_of
from gateway.contract import moment_in
from gateway.moments import parse_moment, position_before
from gateway.ops import entry_lines
from gateway.ops.stream_following import follow
from gateway.settings import Settings

__all__ = ["command"]

_CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""More than those of machines that ask anybody for the time, and not much to read."""


@click.command("tail")
@click.option(
    "--stream",
    default="events",
    show_default=True,
    metavar="NAME",
    help="events, comments or dead:<group>.",
)
@click.option("--since", metavar="TIME", help="Old entries first: 10m, 2h, or an ISO 8601 time.")
@click.option("--event", "event_id", metavar="ID", help="Only the event of this id.")
@click.option("--type", "event_type", metavar="TYPE", help="Only this type: comment.updated, app.*")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many entries.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(
    context: click.Context,
    *,
    stream: str,
    since: str | None,
    event_id: str | None,
    event_type: str | None,
    portal: str | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Follow a stream without consuming it.

    Begins with what is stored from now on, and goes on until Ctrl-C; when Redis is away it waits.
    Times are in UTC. An event's id holds its time: with --event, nothing is read that was stored
    before it.
    """
    settings = settings_of(context)
    wanted = entry_lines.EntryFilter(event_id=event_id, type=event_type, portal=portal)
    try:
        keys = entry_lines.keys_of(stream, settings.redis.streams)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--stream") from error
    try:
        begin = parse_moment(since, now=datetime.now(UTC)) if since else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from error
    after = position_before(_not_before(event_id, begin)) if begin else None
    with suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, keys, after, wanted, count=count, as_json=as_json))


def _not_before(event_id: str | None, begin: datetime) -> datetime:
    """Where to begin to look for an event: not before its receipt, as far as clocks differ."""
    received_at = moment_in(event_id) if event_id else None
    return begin if received_at is None else max(begin, received_at - _CLOCKS_DIFFER)


async def _tail(
    settings: Settings,
    keys: tuple[str, ...],
    after: str | None,
    wanted: entry_lines.EntryFilter,
    *,
    count: int | None,
    as_json: bool,
) -> None:
    shown = 0
    following = follow(
        settings.redis.url, keys, after=after, told=_tell, containing=wanted.event_id
    )
    async with aclosing(following) as entries:
        async for entry in entries:
            if wanted.has(entry):
                click.echo(entry_lines.as_json(entry) if as_json else entry_lines.as_line(entry))
                shown += 1
                if shown == count:
                    return


def _tell(sentence: str) -> None:
    click.echo(f"tail: {sentence}", err=True)
