"""`gateway pending` shows which entries groups have in hand, for how long, and why still."""

import asyncio

import click
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.commands.answer_option import WITHIN
from gateway.commands.row_output import terminal_width
from gateway.ops.answer_times import answered
from gateway.ops.entries_in_hand import EntriesInHand, EntryInHand, entries_in_hand, groups_reading
from gateway.ops.group_interventions import GroupInterventions, command_to_resume, interventions_of
from gateway.ops.text_tables import span, table
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.command("pending")
@click.option("--group", metavar="NAME", help="Only this group; default: all.")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Show so many of a group, the oldest first.",
)
@WITHIN
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(
    context: click.Context,
    *,
    group: str | None,
    portal: str | None,
    limit: int,
    within_s: float,
    as_json: bool,
) -> None:
    r"""What groups have in hand: for how long, and how it failed last.

    In hand is what was delivered to the group and is not settled. ENTRY: stream, partition and id;
    `replay` is what the group alone was given again. WAITS: since it was stored. HELD: since it was
    delivered to the process that has it now. TAKEN: how many processes took it in hand, one more
    for each that died with it. TRIES: attempts that failed; `-` if none has ended, or none is
    recorded. LAST ERROR: with how long ago that was. More: docs/operations.md.

    \b
    gateway pending
    gateway pending --group enricher --portal acme.bitrix24.com --json
    """
    settings = settings_of(context)
    streams = settings.redis.streams

    async def ask(redis: Redis) -> list[tuple[EntriesInHand, GroupInterventions]]:
        groups = await groups_reading(redis, streams) if group is None else [group]
        return [
            (
                await entries_in_hand(redis, streams, one, portal=portal, limit=limit),
                await interventions_of(redis, streams, one),
            )
            for one in groups
        ]

    each = asyncio.run(answered(settings.redis, ask, within_s=within_s))
    if as_json:
        for found, _interventions in each:
            for entry in found.entries:
                click.echo(json_line(entry))
        return
    if group is None:
        each = [(found, pauses) for found, pauses in each if found.pending_count]
    if not each:
        click.echo("nothing is in hand")
    for number, (found, interventions) in enumerate(each):
        if number:
            click.echo()
        _echo(found, interventions, portal=portal)


def _echo(found: EntriesInHand, interventions: GroupInterventions, *, portal: str | None) -> None:
    if found.entries:
        head = ("ENTRY", "EVENT", "PORTAL", "SUBJECT", "WAITS", "HELD", "TAKEN", "TRIES")
        rows = [_row(entry) for entry in found.entries]
        click.echo(table((*head, "LAST ERROR"), rows, width=terminal_width()))
    click.echo(_sum(found, portal))
    for pause in interventions.pauses:
        click.echo(printable(f"paused: {pause}; {command_to_resume(found.group, pause)}"))


def _row(entry: EntryInHand) -> tuple[object, ...]:
    failure = entry.failure
    error = failure.error if failure else None
    if failure and failure.ago_s is not None:
        error = f"{span(failure.ago_s)} ago: {error}"
    return (
        f"{entry.stream}/{entry.partition}/{entry.entry_id}",
        entry.event_id or "not an event",
        entry.domain or entry.portal,
        entry.subject,
        span(entry.waits_s),
        span(entry.in_hand_s),
        entry.deliveries,
        failure.attempts if failure else None,
        error,
    )


def _sum(found: EntriesInHand, portal: str | None) -> str:
    if not found.pending_count:
        return f"{found.group} has nothing in hand"
    of_portal = "" if portal is None else f" of {portal}"
    counts = f"{len(found.entries)} of {found.pending_count}"
    shown = f"{found.group}: {counts} entries in hand{of_portal}"
    if portal is not None and found.looked_count < found.pending_count:
        shown += f"; the oldest {found.looked_count} were looked through"
    owners = {entry.partition: entry.owner for entry in found.entries}
    told = (f"{number}: {name or 'nobody'}" for number, name in sorted(owners.items()))
    return f"{shown}. Owners of partitions: {', '.join(told)}" if owners else shown
