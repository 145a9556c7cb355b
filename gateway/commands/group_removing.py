"""`gateway groups remove` removes a group and all that it has."""

import asyncio
from typing import Final

import click

from gateway.commandline import settings_of
from gateway.ops.answer_times import answering
from gateway.ops.group_removal import GroupInUse, GroupRemoval, look_at_group, remove_group
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["COMMANDS"]


@click.command("remove")
@click.argument("group", metavar="NAME")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def remove(
    context: click.Context, *, group: str, is_sure: bool, dry_run: bool, as_json: bool
) -> None:
    r"""Remove a group that is needed no more, with all its keys; it no longer holds its streams.

    Shows what goes, and asks. Refused while a process of the group runs, which would make it anew.
    Of the notifier, what waits in its outboxes goes as well, and is told to nobody. May be
    repeated; the events stay on the streams for the other groups.

    \b
    gateway groups remove search-index --dry-run
    gateway groups remove search-index --yes

    More: docs/operations.md#removing-a-group
    """
    settings = settings_of(context)
    found = asyncio.run(_look(settings, group))
    if found.is_nothing:
        raise click.ClickException(f"there is nothing of a group {group}")
    if as_json:
        click.echo(json_line(found))
    else:
        _show(found)
    if dry_run:
        return
    if found.owners:
        raise click.ClickException(
            f"{group} is worked on by {', '.join(found.owners)}: stop its processes first"
        )
    if not is_sure:
        click.confirm(f"remove {group} with all of this?", abort=True, err=True)
    try:
        asyncio.run(_remove(settings, group))
    except GroupInUse as error:
        raise click.ClickException(str(error)) from error
    if not as_json:
        click.echo(f"{group} is removed")


def _show(found: GroupRemoval) -> None:
    wishes = found.interventions
    lines = {
        "streams": ", ".join(found.streams) or "none",
        "not given yet": found.lag,
        "in hand": found.pending,
        "given again": found.redeliveries,
        "dead letters": found.dead_letters,
        "paused": len(wishes.pauses),
        "struck": len(wishes.strikes),
        "keys": found.keys,
        "owners": ", ".join(found.owners) or "none",
    }
    if found.notices is not None:
        lines["notices"] = found.notices
    for name, value in lines.items():
        click.echo(printable(f"{name:14} {value}"))


async def _look(settings: Settings, group: str) -> GroupRemoval:
    async with answering(settings.redis) as redis:
        return await look_at_group(redis, settings.redis.streams, group)


async def _remove(settings: Settings, group: str) -> None:
    async with answering(settings.redis) as redis:
        await remove_group(redis, settings.redis.streams, group)


COMMANDS: Final = (remove,)
