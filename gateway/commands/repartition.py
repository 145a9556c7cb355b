"""`gateway repartition` changes into how many partitions events are spread, while all runs."""

import asyncio
from typing import Final

import click
from msgspec import Struct

from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.operator_record import OperatorAction, act_of_command, record_act
from gateway.ops import partition_change as ops
from gateway.ops.answer_times import answering
from gateway.ops.partition_change import RepartitionPreview
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["command"]

_WITHIN_S: Final = 20.0


class _Change(Struct, frozen=True, kw_only=True):
    """What was changed. `late` are processes that do not follow yet."""

    before: int
    partitions: int
    numbers: str
    followed: int
    late: list[str]


@click.command("repartition")
@click.argument("count", metavar="[N]", type=click.IntRange(1, 1024), required=False)
@click.option("--abort", is_flag=True, help="Undo a change that was begun and not ended.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be met.")
@click.option(
    "--within", "within_s", metavar="SECONDS", type=click.FloatRange(min=0), default=_WITHIN_S,
    show_default=True, help="How long to wait until all processes follow.",
)  # fmt: skip
@click.option("--reason", default="", metavar="TEXT", help="Why; for the audit log.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    *,
    count: int | None,
    abort: bool,
    is_sure: bool,
    dry_run: bool,
    within_s: float,
    reason: str,
    as_json: bool,
) -> None:
    r"""Change into how many partitions events are spread, while all runs.

    Shows what it meets, and asks. Nothing is lost, nothing is published twice, and the events of
    one subject stay in order: new ones go to new partitions, with which a group begins when it has
    handled all of the former ones. For the moment of the change receivers put events into their
    spools, and answer 200. All processes follow by themselves.

    When it is killed, call it again: it goes on, or with --abort back. Exit code 1 if a process
    does not follow in time. More: docs/operations.md#how-many-partitions.

    \b
    gateway repartition 4 --dry-run
    gateway repartition 4 --yes --reason "the warehouse is behind at noon"
    """
    settings = settings_of(context)
    if abort == (count is not None):
        raise click.UsageError("say either how many partitions, or --abort")
    if count is None:
        _abort(settings, reason=reason, is_sure=is_sure)
        return
    preview = asyncio.run(_preview(settings, count))
    if dry_run and as_json:
        click.echo(json_line(preview))
    elif not as_json:
        _show(preview)
    if preview.faults:
        raise OperatorError("; ".join(preview.faults))
    if dry_run:
        return
    if not is_sure:
        click.confirm(f"change to {count} partitions?", abort=True, err=True)
    change = asyncio.run(_change(settings, count, reason=reason, within_s=within_s))
    if as_json:
        click.echo(json_line(change))
    else:
        click.echo(
            f"events are spread into {count} partitions, {change.numbers}; "
            f"{change.followed} processes follow"
        )
        for one in change.late:
            click.echo(printable(f"{one} does not follow yet: see its log, or start it again"))
    context.exit(1 if change.late else 0)


def _show(preview: RepartitionPreview) -> None:
    lines = {
        "partitions": f"{preview.now} -> {preview.wanted}",
        "new numbers": preview.numbers,
        "processes": preview.processes,
    }
    if preview.under_way is not None:
        lines["under way"] = f"a change to {preview.under_way}, which this goes on with"
    for name, value in lines.items():
        click.echo(printable(f"{name:14} {value}"))
    for remark in preview.remarks:
        click.echo(printable(f"{'note':14} {remark}"))


async def _preview(settings: Settings, count: int) -> RepartitionPreview:
    async with answering(settings.redis) as redis:
        return await ops.look_ahead(redis, settings.redis.streams, count)


async def _change(settings: Settings, count: int, *, reason: str, within_s: float) -> _Change:
    streams = settings.redis.streams
    async with answering(settings.redis) as redis:
        before = streams.partitions
        await ops.finish_undoing(redis, streams)
        await ops.announce(redis, streams, count)
        await ops.make_groups(redis, streams, count)
        # Before it is done, while there is still a place for it behind all that came until now.
        await _record(
            settings,
            "partitions changed",
            count=count,
            selection=f"from {before} to {count}",
            reason=reason,
        )
        for partition in streams.in_force:
            await ops.seal(redis, streams, partition)
        await ops.turn(redis, streams, count)
        running = 0

        def told(followed: int, _of: int) -> None:
            nonlocal running
            running = followed

        late = await ops.followed(redis, streams, within_s=within_s, told=told)
    in_force = streams.in_force
    return _Change(
        before=before,
        partitions=count,
        numbers=f"{in_force.start}..{in_force.stop - 1}",
        followed=running,
        late=late,
    )


def _abort(settings: Settings, *, reason: str, is_sure: bool) -> None:
    if not is_sure:
        click.confirm("undo the change that is under way?", abort=True, err=True)

    async def undo() -> bool:
        async with answering(settings.redis) as redis:
            is_undone = await ops.undo(redis, settings.redis.streams)
        if is_undone:
            count = settings.redis.streams.partitions
            await _record(
                settings, "change of partitions undone", count=count, selection="", reason=reason
            )
        return is_undone

    if not asyncio.run(undo()):
        raise click.ClickException("no change is under way")
    click.echo(f"there are {settings.redis.streams.partitions} partitions as before")


async def _record(
    settings: Settings, action: OperatorAction, *, count: int, selection: str, reason: str
) -> None:
    act = act_of_command(action, count=count, selection=selection, reason=reason)
    why_not = await record_act(settings.redis, act)
    if why_not is not None:
        raise OperatorError(f"it cannot be recorded in the audit log: {why_not}; try again")
