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
    r"""Follow a stream without consuming it.

    Begins with what is stored from now on, and goes on until Ctrl-C; when Redis is away it waits.
    Times are in UTC. An event's id holds its time: with --event, the stream is read from then on to
    its end, and the exit code is 1 if the event is not there. `gateway explain` finds it faster.
    More: docs/operations.md.

    \b
    gateway tail --portal acme.bitrix24.com --type comment.updated
    gateway tail --stream comments --since 10m --count 1 --json
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
    if event_id is not None:
        begin = _not_before(event_id, begin)
    after = position_before(begin) if begin else None
    with suppress(KeyboardInterrupt):
        shown = asyncio.run(_tail(settings, keys, after, wanted, count=count, as_json=as_json))
        if begin is not None and event_id is not None and not shown:
            _tell(f"{event_id} is not on {stream} from {begin:%Y-%m-%d %H:%M:%S} UTC on")
            _tell(f"where it is, says: gateway explain {event_id}")
            context.exit(1)


def _not_before(event_id: str, begin: datetime | None) -> datetime:
    """Where to begin to look for an event: not before its receipt, as far as clocks differ."""
    received_at = moment_in(event_id)
    if received_at is None and begin is None:
        raise click.BadParameter(
            f"{event_id} has no time in it: say by --since from when on to look",
            param_hint="--event",
        )
    moments = (begin, received_at - _CLOCKS_DIFFER if received_at else None)
    return max(moment for moment in moments if moment is not None)


async def _tail(
    settings: Settings,
    keys: tuple[str, ...],
    after: str | None,
    wanted: entry_lines.EntryFilter,
    *,
    count: int | None,
    as_json: bool,
) -> int:
    """Show entries; how many, at the end of the stream or when there are enough of them."""
    shown = 0
    following = follow(
        settings.redis.url,
        keys,
        after=after,
        told=_tell,
        containing=wanted.event_id,
        is_endless=wanted.event_id is None,
    )
    async with aclosing(following) as entries:
        async for entry in entries:
            if wanted.has(entry):
                click.echo(entry_lines.as_json(entry) if as_json else entry_lines.as_line(entry))
                shown += 1
                if shown == count:
                    break
    return shown


def _tell(sentence: str) -> None:
    click.echo(f"tail: {sentence}", err=True)
