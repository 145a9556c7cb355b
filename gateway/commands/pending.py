"""`gateway pending` shows which entries a group has in hand, for how long, and why still."""

import asyncio

import click
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.commands.answer_option import WITHIN
from gateway.commands.row_output import terminal_width
from gateway.ops.answer_times import answered
from gateway.ops.entries_in_hand import EntriesInHand, EntryInHand, entries_in_hand
from gateway.ops.group_interventions import GroupInterventions, interventions_of
from gateway.ops.text_tables import span, table
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.command("pending")
@click.option("--group", required=True, metavar="NAME", help="The group.")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Show so many, the oldest first.",
)
@WITHIN
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(
    context: click.Context,
    *,
    group: str,
    portal: str | None,
    limit: int,
    within_s: float,
    as_json: bool,
) -> None:
    r"""What a group has in hand: for how long, and how it failed last.

    In hand is what was delivered to the group and is not settled. ENTRY: stream, partition and id;
    `replay` is what the group alone was given again. WAITS: since it was stored. HELD: since it was
    delivered to the process that has it now. TAKEN: how many processes took it in hand, one more
    for each that died with it. TRIES: attempts that failed; `-` if none has ended, or none is
    recorded. LAST ERROR: with how long ago that was. More: docs/operations.md.

    \b
    gateway pending --group notifier
    gateway pending --group enricher --portal acme.bitrix24.com --json
    """
    settings = settings_of(context)
    streams = settings.redis.streams

    async def ask(redis: Redis) -> tuple[EntriesInHand, GroupInterventions]:
        found = await entries_in_hand(redis, streams, group, portal=portal, limit=limit)
        return found, await interventions_of(redis, streams, group)

    found, interventions = asyncio.run(
        answered(
            settings.redis.url,
            ask,
            within_s=within_s,
        )
    )
    if as_json:
        for entry in found.entries:
            click.echo(json_line(entry))
        return
    if found.entries:
        head = ("ENTRY", "EVENT", "PORTAL", "SUBJECT", "WAITS", "HELD", "TAKEN", "TRIES")
        rows = [_row(entry) for entry in found.entries]
        click.echo(table((*head, "LAST ERROR"), rows, width=terminal_width()))
    click.echo(_sum(found, portal))
    for pause in interventions.pauses:
        click.echo(printable(f"paused: {pause}; gateway groups resume {group}"))


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
    shown = f"{len(found.entries)} of {found.pending_count} entries in hand{of_portal}"
    if portal is not None and found.looked_count < found.pending_count:
        shown += f"; the oldest {found.looked_count} were looked through"
    owners = {entry.partition: entry.owner for entry in found.entries}
    told = (f"{number}: {name or 'nobody'}" for number, name in sorted(owners.items()))
    return f"{shown}. Owners of partitions: {', '.join(told)}" if owners else shown
