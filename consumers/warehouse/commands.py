"""`consumers warehouse …`: comparing with the stream, loading again, asking, erasing."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial, wraps
from typing import Final

import click
from redis.asyncio import Redis

from consumers.warehouse.command_access import (
    naming_what_is_away,
    opened_warehouse,
    run,
    warehouse_settings,
)
from consumers.warehouse.consumer import GROUP
from consumers.warehouse.destination import destination
from consumers.warehouse.erase_command import erase
from consumers.warehouse.event_rows import Unfit
from consumers.warehouse.find_command import find
from consumers.warehouse.libraries import require_libraries
from consumers.warehouse.query import answer, as_json, as_table
from consumers.warehouse.stream_comparison import StreamComparison, backfill, compare
from consumers.warehouse.stream_range import Range
from consumers.warehouse.warehouse_thread import WarehouseThread
from gateway.moments import Moment
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import indented_json, json_line

__all__ = ["command"]

require_libraries()

_SHOWN: Final = 20
_WAIT_S: Final = 30.0

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


def _range(function: Callable[..., None]) -> Callable[..., None]:
    """The options that name a range of a stream; the command gets the settings and the range."""

    @click.option(
        "--from",
        "since",
        type=Moment(),
        required=True,
        help="From when, by arrival on the stream.",
    )
    @click.option("--to", "until", type=Moment(), help="Until before when; else until now.")
    @click.option(
        "--stream", type=click.Choice(["events", "comments"]), help="Default: [warehouse] stream."
    )
    @_json
    @click.pass_context
    @wraps(function)
    def command(
        context: click.Context,
        *,
        since: datetime,
        until: datetime | None,
        stream: str | None,
        as_json: bool,
    ) -> None:
        settings = warehouse_settings(context)
        wanted = Range(stream=stream or settings.warehouse.stream, since=since, until=until)
        function(settings, wanted, as_json=as_json)

    return command


@click.group("warehouse", commands=[erase, find])
def command() -> None:
    r"""Ask the warehouse with SQL, compare it with the stream, load it again, erase.

    More: docs/warehouse.md.

    \b
    consumers warehouse query "SELECT count(*) FROM comment_events"
    consumers warehouse check --from 1d
    """


@command.command()
@_range
def check(settings: Settings, wanted: Range, *, as_json: bool) -> None:
    r"""Name the events that were handled and that the warehouse lacks.

    Exit code 1 if there are any.

    Events that wait for the consumer are counted apart. What was trimmed from the stream cannot be
    compared. More: docs/warehouse.md.

    \b
    consumers warehouse check --from 1d
    consumers warehouse check --from 2d --to 1d --json
    """
    found = run(_check(settings, wanted))
    if as_json:
        click.echo(indented_json(found))
    else:
        for one in found.missing[:_SHOWN]:
            click.echo(f"missing {one.event_id}  entry {one.entry_id}  received {one.received_at}")
        if len(found.missing) > _SHOWN:
            click.echo(f"... and {len(found.missing) - _SHOWN} more; --json has all of them")
        click.echo(
            f"{found.compared} events on the stream: {len(found.missing)} missing, "
            f"{found.waiting} waiting for the consumer, {found.erased} erased on request"
        )
    sys.exit(1 if found.missing else 0)


@command.command("backfill")
@_range
def backfill_command(settings: Settings, wanted: Range, *, as_json: bool) -> None:
    r"""Load a range of the stream again, beside the running consumer. Rows are not doubled.

    More: docs/warehouse.md.

    \b
    consumers warehouse backfill --from 2d --to 1d
    consumers warehouse backfill --from 2026-01-31T00:00:00Z --stream events
    """
    count = run(_backfill(settings, wanted))
    click.echo(json_line({"loaded": count}) if as_json else f"{count} events loaded")


@command.command()
@click.argument("sql")
@click.option("--json", "is_json", is_flag=True, help="One JSON object for each row.")
@click.pass_context
def query(context: click.Context, *, sql: str, is_json: bool) -> None:
    r"""Ask the warehouse with SQL; it can change nothing.

    Names of tables need no schema: "SELECT * FROM comments". While a load has the file of DuckDB,
    it waits for up to half a minute. More: docs/warehouse.md.

    \b
    consumers warehouse query "SELECT count(*) FROM comment_events"
    consumers warehouse query --json "SELECT * FROM comment_events LIMIT 2"
    """
    settings = warehouse_settings(context)
    options = settings.warehouse
    rows = naming_what_is_away(
        partial(answer, destination(options.destination), options.dataset, sql, wait_s=_WAIT_S)
    )
    if is_json:
        for line in as_json(rows):
            click.echo(line)
    else:
        click.echo(as_table(rows))


async def _check(settings: Settings, wanted: Range) -> StreamComparison:
    async with _warehouse_and_redis(settings) as (warehouse, redis):
        return await compare(warehouse, redis, settings.redis.streams, wanted, group=GROUP)


async def _backfill(settings: Settings, wanted: Range) -> int:
    def told(count: int) -> None:
        click.echo(f"{count} events", err=True)

    def unfit(error: Unfit) -> None:
        click.echo(f"left out: {error}", err=True)

    async with _warehouse_and_redis(settings) as (warehouse, redis):
        streams = settings.redis.streams
        return await backfill(warehouse, redis, streams, wanted, told=told, unfit=unfit)


@asynccontextmanager
async def _warehouse_and_redis(settings: Settings) -> AsyncIterator[tuple[WarehouseThread, Redis]]:
    async with (
        connections.control(settings.redis.url, timeout_s=10) as redis,
        opened_warehouse(settings) as warehouse,
    ):
        yield warehouse, redis
