"""`gateway replay` gives one group old events again."""

import asyncio
from datetime import UTC, datetime

import click

from gateway.commandline import settings_of
from gateway.ops.redelivery import Replay, count_replay, parse_bound, replay, stream_of_group
from gateway.redis_access import connections
from gateway.redis_access.entry_count import EntryCount
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["command"]


@click.command("replay")
@click.option("--group", required=True, metavar="NAME", help="The group; no other sees anything.")
@click.option("--from", "first", required=True, metavar="TIME", help="10m, 2h, ISO 8601, or an id.")
@click.option("--to", "last", metavar="TIME", help="The same; default: now.")
@click.option("--stream", metavar="NAME", help="events or comments; default: what the group reads.")
@click.option(
    "--rate", "per_second", type=click.FloatRange(min=1), default=500, show_default=True,
    help="At most so many entries a second.",
)  # fmt: skip
@click.option("--effects", is_flag=True, help="As new events: notifications are sent again.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    *,
    group: str,
    first: str,
    last: str | None,
    stream: str | None,
    per_second: float,
    effects: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    r"""Give one group old events again.

    They are flagged as a replay, so that nobody is notified twice.

    TIME is when the gateway stored the event. Each comment's events come in their order. More:
    docs/consumers.md.

    \b
    gateway replay --group warehouse --from 2h --dry-run
    gateway replay --group warehouse --from 2026-01-31T00:00:00Z --to 1d --rate 100
    """
    now = datetime.now(UTC)
    try:
        bounds = parse_bound(first, now=now), parse_bound(last, now=now) if last else _now(now)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    count = asyncio.run(
        _run(
            settings_of(context),
            group,
            stream,
            bounds,
            per_second=per_second,
            is_silent=not effects,
            dry_run=dry_run,
        )
    )
    if as_json:
        about = {"is_estimate": count.is_estimate} if dry_run else {}
        click.echo(json_line({"entries": count.count, "dry_run": dry_run} | about))
    else:
        click.echo(f"{count} entries {'would be' if dry_run else 'were'} given to {group} again")


def _now(now: datetime) -> str:
    """What comes in while the replay runs is not part of it: the group gets it anyway."""
    return str(round(now.timestamp() * 1000))


async def _run(
    settings: Settings,
    group: str,
    stream: str | None,
    bounds: tuple[str, str],
    *,
    per_second: float,
    is_silent: bool,
    dry_run: bool,
) -> EntryCount:
    streams = settings.redis.streams
    async with connections.publisher(settings.redis.url, timeout_s=10) as redis:
        wanted = Replay(
            group=group,
            stream=stream or await stream_of_group(redis, streams, group),
            first=bounds[0],
            last=bounds[1],
            is_silent=is_silent,
        )
        if dry_run:
            return await count_replay(redis, streams, wanted)
        return EntryCount(await replay(redis, streams, wanted, per_second=per_second, told=_told))


def _told(count: int) -> None:
    if count and not count % 10_000:
        click.echo(f"replay: {count} entries", err=True)
