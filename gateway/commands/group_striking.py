"""`gateway groups strike` and `unstrike` make dead letters of events that no handler sees."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import click

from gateway.commandline import settings_of
from gateway.contract import EventSelection, Strike
from gateway.ops import group_interventions as ops
from gateway.ops.answer_times import answering
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["COMMANDS"]

_EVENT = click.option("--event", "event_id", metavar="ID", help="The event of this id.")
_SUBJECT = click.option("--subject", metavar="WHAT", help="All about this: comment/7.")
_PORTAL = click.option(
    "--portal", metavar="ID", help="Only of this portal: its member id or domain."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("strike")
@click.argument("group", metavar="NAME")
@_EVENT
@_SUBJECT
@_PORTAL
@click.option("--lift", "is_lifted", is_flag=True, help="The opposite, as `unstrike`.")
@_JSON
@click.pass_context
def strike(
    context: click.Context,
    *,
    group: str,
    event_id: str | None,
    subject: str | None,
    portal: str | None,
    is_lifted: bool,
    as_json: bool,
) -> None:
    r"""Let events become dead letters, unseen by any handler, until that is lifted.

    For what a group must not touch: an event that ends its processes, a portal whose events do
    harm. They are dead letters of the reason `struck`, and can be given back with `gateway dead
    retry` once it is lifted.

    \b
    gateway groups strike notifier --subject comment/7 --portal acme.bitrix24.com
    gateway groups strike warehouse --event 01a20519-8d87-7177-989d-ac8da4341f00

    More: docs/operations.md#striking-events
    """
    selection = EventSelection(portal=portal, subject=subject, event_id=event_id)
    if selection.is_everything:
        raise click.UsageError("give --event, --subject or --portal")
    if is_lifted:
        _tell_lifted(context, group, selection, as_json=as_json)
        return
    struck = asyncio.run(_strike(settings_of(context), group, selection))
    if as_json:
        click.echo(json_line(struck))
    else:
        click.echo(printable(f"{group} makes dead letters of: {struck}"))


@click.command("unstrike")
@click.argument("group", metavar="NAME")
@_EVENT
@_SUBJECT
@_PORTAL
@click.option("--all", "is_all", is_flag=True, help="Lift all of the group.")
@_JSON
@click.pass_context
def unstrike(
    context: click.Context,
    *,
    group: str,
    event_id: str | None,
    subject: str | None,
    portal: str | None,
    is_all: bool,
    as_json: bool,
) -> None:
    r"""Lift a strike, given as it was made; what has become dead letters stays so.

    \b
    gateway groups unstrike notifier --subject comment/7 --portal acme.bitrix24.com
    gateway groups unstrike warehouse --all

    More: docs/operations.md#striking-events
    """
    selection = EventSelection(portal=portal, subject=subject, event_id=event_id)
    if selection.is_everything != is_all:
        raise click.UsageError("give --event, --subject or --portal, or --all")
    _tell_lifted(context, group, None if is_all else selection, as_json=as_json)


def _tell_lifted(
    context: click.Context, group: str, selection: EventSelection | None, *, as_json: bool
) -> None:
    lifted = asyncio.run(_lift(settings_of(context), group, selection))
    for one in lifted:
        said = json_line(one) if as_json else printable(f"{group} handles again: {one}")
        click.echo(said)
    if not lifted:
        click.echo(f"{group} has struck no such events", err=True)
        context.exit(1)


async def _strike(settings: Settings, group: str, selection: EventSelection) -> Strike:
    async with answering(settings.redis) as redis:
        return await ops.strike_events(
            redis, settings.redis.streams, group, selection, now=datetime.now(UTC)
        )


async def _lift(
    settings: Settings, group: str, selection: EventSelection | None
) -> tuple[Strike, ...]:
    async with answering(settings.redis) as redis:
        return await ops.lift_strikes(redis, settings.redis.streams, group, selection)


COMMANDS: Final = (strike, unstrike)
