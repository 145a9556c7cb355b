"""`gateway explain` says where an event is, and what became of it in every place."""

import asyncio
from datetime import datetime
from pathlib import Path

import click
from msgspec.structs import replace

from gateway.commandline import settings_of
from gateway.commands.answer_option import WITHIN
from gateway.commands.explanation_text import candidates_text, looked_text, way_lines
from gateway.explanation.candidates import Candidates, EventWish, candidates
from gateway.explanation.event_way import EventWay
from gateway.explanation.explaining import explain, received_at_of
from gateway.explanation.kept_records import kept_records
from gateway.moments import Moment
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.command("explain")
@click.argument("event_id", required=False)
@click.option("--comment", "comment_id", type=click.IntRange(min=1), help="Events of this comment.")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option(
    "--at", metavar="TIME", type=Moment(), help="About then: 10m, 2h ago, or an ISO 8601 time."
)
@WITHIN
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def command(
    context: click.Context,
    *,
    event_id: str | None,
    comment_id: int | None,
    portal: str | None,
    at: datetime | None,
    within_s: float,
    as_json: bool,
) -> None:
    r"""Where an event is, and what became of it.

    Says when it was received, where it is stored, what each group made of it, what the enricher
    found out, who was told, and whether the audit log and the warehouse of these settings have it.
    Without the id of an event: the newest of a comment, or the nearest to a time. Ends with 1 if it
    is not here, or Redis is away. Its words are explained in docs/operations.md.

    \b
    gateway explain 01a20519-8d87-7177-989d-ac8da4341f00
    gateway explain --comment 999 --portal acme.bitrix24.com
    gateway explain --portal acme.bitrix24.com --at 2026-11-22T21:11:30Z --json
    """
    is_wish = comment_id is not None or (portal is not None and at is not None)
    if (event_id is not None) == is_wish or (event_id and (portal or at)):
        raise click.UsageError("give an event's id, or --comment, or --portal and --at")
    settings = settings_of(context)
    config = context.find_root().params["config"]
    file = None if config is None else Path(config)
    if event_id is not None:
        received_at_of(event_id)  # before others are asked, who would have to be called off
        way = asyncio.run(_whole(settings, file, event_id, within_s=within_s))
    else:
        wish = EventWish(comment_id=comment_id, portal=portal, at=at)
        found, chosen = asyncio.run(_first_of(settings, file, wish, within_s=within_s))
        if chosen is None:
            _tell_nothing(found, as_json=as_json)
            context.exit(1)
        way = chosen
    if as_json:
        click.echo(json_line(way))
    else:
        if way.others:
            click.echo(candidates_text(way.others))
            click.echo()
        for line in way_lines(way):
            click.echo(printable(line))
    context.exit(0 if way.is_found and way.why_no_redis is None else 1)


async def _whole(
    settings: Settings, file: Path | None, event_id: str, *, within_s: float
) -> EventWay:
    """What Redis and this machine tell, and at the same time what consumers have made of it."""
    way, kept = await asyncio.gather(
        explain(settings, event_id, within_s=within_s),
        kept_records(settings, file, event_id, within_s=within_s),
    )
    return replace(way, kept=kept)


async def _first_of(
    settings: Settings, file: Path | None, wish: EventWish, *, within_s: float
) -> tuple[Candidates, EventWay | None]:
    found = await candidates(settings, wish, within_s=within_s / 2)
    if not found.found:
        return found, None
    first, *_ = found.found
    way = await _whole(settings, file, first.event_id, within_s=within_s)
    return found, replace(way, others=found.found if len(found.found) > 1 else ())


def _tell_nothing(found: Candidates, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_line(found))
        return
    where = "" if found.why_no_redis is not None else " on any stream that was seen, or"
    click.echo(f"not here      no such event{where} in the spool of this machine")
    for looked in found.looked:
        click.echo(f"              {looked_text(looked)}")
    if found.why_no_redis is not None:
        click.echo(printable(f"redis         {found.why_no_redis}: streams were not looked at"))
