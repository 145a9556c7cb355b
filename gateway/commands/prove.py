"""`gateway prove` says that nothing of a day was lost, with the records that show it."""

import asyncio
from datetime import UTC, date, datetime

import click

from gateway.balance.hours import DayBalance, day_balance, read_hours
from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.ops.text_tables import named_counts
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["command"]


@click.command("prove")
@click.option(
    "--day",
    metavar="DAY",
    required=True,
    help="Which one, in UTC: 2026-01-31, today, yesterday.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(context: click.Context, *, day: str, as_json: bool) -> None:
    r"""The balance of a day, and the records in the audit log that show it.

    Each hour's balance is an event in the audit log. With the log, and the public key of whoever
    signs it, an auditor checks all of it without this installation: `consumers audit verify DIR`
    says that the log is whole, and `consumers audit prove EVENT_ID` takes one record out of it.
    Ends with 1 if the balance does not close, or an hour that is over has no record; of a day
    that is under way it says how it stands so far. More: docs/balance.md.

    \b
    gateway prove --day yesterday
    gateway prove --day 2026-01-31 --json
    """
    found = asyncio.run(_of_day(settings_of(context), _day_of(day)))
    if as_json:
        click.echo(json_line(found))
    else:
        _echo(found)
    context.exit(0 if found.closes and not found.missing_hours else 1)


def _day_of(text: str) -> date:
    today = datetime.now(UTC).date()
    match text:
        case "today":
            return today
        case "yesterday":
            return date.fromordinal(today.toordinal() - 1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"--day {text}: a day is written 2026-01-31") from None
    if day == date.min:
        raise OperatorError(f"--day {text}: there is no hour before it, from which it is counted")
    return day


async def _of_day(settings: Settings, day: date) -> DayBalance:
    async with answering(settings.redis) as redis:
        records = await read_hours(redis, settings.redis.prefix, day)
    found = day_balance(records, day, now=datetime.now(UTC))
    if found is None:
        raise OperatorError(
            f"{day}: there are not two records of it; receivers make one at the end of each hour, "
            "and they are kept for 40 days"
        )
    return found


def _echo(found: DayBalance) -> None:
    click.echo(f"from the end of the hour {found.since} to that of {found.until}, UTC")
    rows = [
        ("accepted", found.accepted),
        ("  on the stream", found.published),
        ("  in spools before", found.in_spools_before),
        ("  in spools after", found.in_spools_after),
        ("  under way before", found.under_way_before),
        ("  under way after", found.under_way_after),
        *((f"  refused: {reason}", count) for reason, count in sorted(found.refused.items())),
        ("  unanswered", found.unanswered),
        ("and put on the stream by others", found.once),
        *((("written off as lost", found.written_off),) if found.written_off else ()),
        ("missing", found.open),
    ]
    for line in named_counts(rows):
        click.echo(line)
    click.echo("\nrecords in the audit log (consumers audit prove ID):")
    for hour, event_id in found.records.items():
        click.echo(f"  {hour}  {event_id}")
    for hour in found.missing_hours:
        click.echo(f"  {hour}  no record")
    how_far = "" if found.is_over else f" so far: {found.day} is under way"
    click.echo(f"the balance {'closes' if found.closes else 'does not close'}{how_far}")
