"""`gateway balance` says what became of every event that was accepted, and what is missing."""

import asyncio
from collections.abc import Iterator

import click

from gateway.balance.sheet import Balance, GroupSheet
from gateway.balance.writing_off import what_is_open
from gateway.balance.writing_off import write_off as write_all_off
from gateway.commandline import settings_of
from gateway.commands.answer_option import WITHIN
from gateway.contract import timestamps
from gateway.errors import OperatorError
from gateway.operator_record import act_of_command, record_act
from gateway.ops.answer_times import answering
from gateway.ops.text_tables import named_counts, table
from gateway.settings import Settings
from gateway.status.machine_balance import balance_now, balance_within
from gateway.terminal import json_line, printable

__all__ = ["command"]


@click.command("balance")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--write-off",
    is_flag=True,
    help="Take what is missing now for lost: the balance closes, and says how many were.",
)
@click.option("--reason", default="", metavar="WHY", help="Of the write-off, for the audit log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@WITHIN
@click.pass_context
def command(
    context: click.Context,
    *,
    as_json: bool,
    write_off: bool,
    reason: str,
    yes: bool,
    within_s: float,
) -> None:
    r"""What became of every event that was accepted, and what is missing.

    accepted = on the stream + in spools + refused + unanswered + under way + missing; and of each
    group, given = handled + passed over + dead + struck + erased + in hand + missing. Counted by
    whoever does it, in the same step, since this version runs; restarts and repetitions count
    once. Ends with 1 if something is missing that nobody has written off, or if Redis is away:
    then it is what this machine's receivers know by themselves. Each line: docs/balance.md.

    \b
    gateway balance
    gateway balance --json
    """
    settings = settings_of(context)
    balance = asyncio.run(balance_within(settings, within_s=within_s))
    not_recorded: str | None = None
    if write_off and balance.why_no_redis is not None:
        raise OperatorError(f"nothing is written off: {balance.why_no_redis}")
    if write_off:
        if not balance.open:
            click.echo("nothing is missing")
            return
        if not yes:
            click.confirm(f"Write off {balance.open} events as lost?", abort=True)
        balance, not_recorded = asyncio.run(_write_off(settings, balance, reason))
    if as_json:
        click.echo(json_line(balance))
    else:
        for line in _lines(balance):
            click.echo(printable(line) if "\n" not in line else line)
    if not_recorded is not None:
        click.echo(f"it is written off, but may not be in the audit log: {not_recorded}", err=True)
    is_well = not balance.open and balance.why_no_redis is None and not_recorded is None
    context.exit(0 if is_well else 1)


async def _write_off(
    settings: Settings, balance: Balance, reason: str
) -> tuple[Balance, str | None]:
    """Write off what is missing; how it is then, and why that may not be in the audit log."""
    act = act_of_command(
        "balance written off",
        count=balance.open,
        selection=what_is_open(balance),
        reason=reason,
    )
    async with answering(settings.redis) as redis:
        await write_all_off(redis, settings.redis.prefix, balance)
        not_recorded = await record_act(settings.redis, act)
        return await balance_now(redis, settings), not_recorded


def _lines(balance: Balance) -> Iterator[str]:
    door, is_partial = balance.door, balance.why_no_redis is not None
    if is_partial:
        yield f"{balance.why_no_redis}"
        yield "so these are the counts of this machine's receivers alone"
        yield ""
    rows = [
        ("accepted", door.accepted),
        ("  on the stream", door.published),
        ("  in spools", door.in_spools),
        *((f"  refused: {reason}", count) for reason, count in sorted(door.refused.items())),
        ("  unanswered", door.unanswered),
        ("  under way", door.under_way),
        *(() if is_partial else (("and put on the stream by others", door.once),)),
    ]
    yield from named_counts(rows)
    if balance.groups:
        yield ""
        head = ("GROUP", "STREAM", "GIVEN", "HANDLED", "PASSED", "DEAD", "STRUCK", "ERASED")
        yield table((*head, "IN HAND", "MISSING"), [_row(one) for one in balance.groups])
    yield ""
    for one in balance.missing:
        since = "" if one.since_ms is None else f", since {timestamps.seconds(one.since_ms / 1000)}"
        off = f"; {one.written_off} written off" if one.written_off else ""
        yield f"missing: {one.count} ({one.where}{since}{off})"
    for name in door.silent:
        yield f"not heard for a minute: the receivers with the spool {name}"
    if balance.open:
        yield f"the balance does not close: {balance.open} events are nowhere"
    elif is_partial:
        yield "it closes as far as this machine knows: groups, and what Redis has lost, are unknown"
    else:
        yield "the balance closes"


def _row(one: GroupSheet) -> tuple[object, ...]:
    return (
        one.group,
        one.stream,
        one.given,
        one.handled,
        one.passed_over,
        one.dead,
        one.struck,
        one.erased,
        one.in_hand,
        one.missing,
    )
