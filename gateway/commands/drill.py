"""`gateway drill` tries how this installation bears faults, beside what it does."""

import asyncio
from collections.abc import Sequence
from typing import Final

import click

from gateway.commandline import settings_of
from gateway.drill.drill_faults import FAULTS
from gateway.drill.drilling import DrillPlan, DrillReport, clean_up, run_drill
from gateway.drill_record import DrillRecord, FaultOutcome, remember_drill
from gateway.hangups import stop_signals
from gateway.operator_record import act_of_command, record_act
from gateway.ops.text_tables import table
from gateway.redis_access import connections
from gateway.redis_access.redis_faults import FAILURES, predicate
from gateway.settings import Settings
from gateway.status.quantities import counted
from gateway.terminal import json_line, printable

__all__ = ["command"]

_HEAD: Final = (
    *("FAULT", "SENT", "200", "SPOOLED", "REFUSED", "NO ANSWER", "STORED", "HANDLED"),
    *("LOST", "DOUBLED", "RECOGNISED", "DISORDER", "WITHOUT 200"),
)
_BROKEN_OFF: Final = 130
"""As shells have it for Ctrl-C."""


@click.command("drill")
@click.option(
    "--only",
    "faults",
    type=click.Choice(tuple(FAULTS)),
    multiple=True,
    help="Try this fault; may be repeated.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 120),
    default=5.0,
    show_default=True,
    help="How long each fault lasts.",
)
@click.option(
    "--rate",
    type=click.FloatRange(5, 200),
    default=20.0,
    show_default=True,
    help="Events a second.",
)
@click.option("--clean", is_flag=True, help="Only remove what a killed drill has left.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    *,
    faults: tuple[str, ...],
    seconds: float,
    rate: float,
    clean: bool,
    as_json: bool,
) -> None:
    r"""Try how this installation bears faults: cut Redis off, kill processes, fill a spool.

    Starts a receiver and two consumers of its own, with these settings' Redis under keys of its own
    and a spool beside the real one, sends them made-up events, harms them, and counts what was
    lost. Nothing real is touched, no portal called, nobody told; takes about a minute and leaves
    nothing behind but its record: in the audit log, `gateway status` and `gateway doctor`. Ends
    with 1 if something was lost, doubled or out of order, or did not recover. More: docs/drill.md.

    \b
    gateway drill
    gateway drill --only redis-away --only receiver-killed --seconds 20
    gateway drill --json --config /etc/gateway/gateway.toml
    """
    settings = settings_of(context)
    if clean:
        click.echo(f"removed {counted(asyncio.run(clean_up(settings)), 'key')}")
        return
    chosen = [name for name in FAULTS if name in faults] or list(FAULTS)
    plan = DrillPlan(faults=chosen, seconds=seconds, rate=rate)
    try:
        report = asyncio.run(_drilled(settings, plan))
    except asyncio.CancelledError:
        click.echo("broken off: nothing of it is left", err=True)
        context.exit(_BROKEN_OFF)
    record = report.record
    if as_json:
        click.echo(json_line({"is_well": record.is_well, **_fields(record)}))
    else:
        _echo(record)
    if not record.is_well:
        for line in report.said_last:
            click.echo(printable(line), err=True)
    context.exit(0 if record.is_well else 1)


async def _drilled(settings: Settings, plan: DrillPlan) -> DrillReport:
    """Run it, and put it on record. A signal that asks for a stop cancels it."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - tells the type checker
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    report = await run_drill(settings, plan, say=_say)
    for why_not in await _recorded(settings, report.record):
        _say(why_not)
    return report


async def _recorded(settings: Settings, record: DrillRecord) -> list[str]:
    """Put a drill on record; each place that it may not be in, and why."""
    why_nots = []
    tried = [one.fault for one in record.outcomes if one.not_tried is None]
    act = act_of_command(
        "drilled", count=len(tried), selection=", ".join(tried), reason="", outcome=record
    )
    if why_not := await record_act(settings.redis, act):
        why_nots.append(f"this may not be in the audit log: {why_not}")
    try:
        async with connections.control(settings.redis.url) as redis:
            await remember_drill(redis, settings.redis.prefix, record)
    except FAILURES as error:
        told = " ".join(predicate(error).split())
        why_nots.append(f"gateway doctor may not learn of this: Redis {told}")
    return why_nots


def _say(text: str) -> None:
    click.echo(printable(text), err=True)


def _fields(record: DrillRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _echo(record: DrillRecord) -> None:
    tried = [one for one in record.outcomes if one.not_tried is None]
    if tried:
        click.echo(table(_HEAD, [_row(one) for one in tried], right=set(_HEAD[1:])))
    for line in _remarks(record.outcomes):
        click.echo(line)
    verdict = "all is well" if record.is_well else "not well"
    took = f"{counted(len(tried), 'fault')} in {record.took_s:.0f} s"
    click.echo(f"{verdict}: {took}, {record.redis}")


def _remarks(outcomes: Sequence[FaultOutcome]) -> list[str]:
    lines = []
    for one in outcomes:
        lines += [f"{one.fault}: {wrong}" for wrong in one.wrong]
        if one.not_tried is not None:
            lines.append(f"{one.fault}: not tried, since {one.not_tried}")
    return [printable(line) for line in lines]


def _row(one: FaultOutcome) -> tuple[object, ...]:
    return (
        one.fault,
        one.sent,
        one.answered,
        one.spooled or None,
        one.refused or None,
        one.unanswered or None,
        one.stored,
        one.handled,
        one.lost,
        one.doubled,
        one.recognised or None,
        one.out_of_order,
        f"{one.seconds_without_200:.1f} s",
    )
