"""`consumers warehouse …`: comparing with the stream, loading again, asking, erasing."""

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial, wraps
from typing import Any, Final

import click
import uvloop
from redis.asyncio import Redis

from consumers.warehouse.consumer import GROUP
from consumers.warehouse.destination import destination
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.event_rows import Unfit
from consumers.warehouse.find_command import find
from consumers.warehouse.libraries import require_libraries
from consumers.warehouse.opening import opened_on_thread
from consumers.warehouse.query import answer, as_json, as_table
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.stream_comparison import StreamComparison, backfill, compare
from consumers.warehouse.stream_range import Range
from consumers.warehouse.warehouse_thread import WarehouseThread
from gateway import logs
from gateway.commandline import settings_of
from gateway.contract import EventSubject
from gateway.erasure_record import Erasure, about_of, record_erasure
from gateway.errors import OperatorError
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
        settings = _settings(context)
        wanted = Range(stream=stream or settings.warehouse.stream, since=since, until=until)
        function(settings, wanted, as_json=as_json)

    return command


@click.group("warehouse", commands=[find])
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
    found = _run(_check(settings, wanted))
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
    count = _run(_backfill(settings, wanted))
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
    settings = _settings(context)
    options = settings.warehouse
    rows = _away_told(
        partial(answer, destination(options.destination), options.dataset, sql, wait_s=_WAIT_S)
    )
    if is_json:
        for line in as_json(rows):
            click.echo(line)
    else:
        click.echo(as_table(rows))


@command.command()
@click.option("--portal", "member_id", metavar="ID", help="The portal's member_id.")
@click.option(
    "--comment",
    "comment_id",
    type=click.IntRange(1),
    metavar="ID",
    help="Only this comment. --portal may be left out if one portal alone has it.",
)
@click.option("--subject", metavar="KIND/ID", help="Only this deal, contact, …, as contact/7.")
@click.option("--reason", default="", help="For the audit log, such as the request's number.")
@click.option(
    "--compact",
    "is_compacted",
    is_flag=True,
    help="Write the file or tables anew, without the bytes of what was erased. Loads wait.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
@click.pass_context
def erase(
    context: click.Context,
    *,
    member_id: str | None,
    comment_id: int | None,
    subject: str | None,
    reason: str,
    is_compacted: bool,
    yes: bool,
    as_json: bool,
) -> None:
    r"""Erase all rows of a portal, or of one comment, contact, … of it. Cannot be undone.

    No replay and no backfill brings back what was received until now. The erasure is recorded in
    the warehouse (table erasures) and, through the stream, in the audit log.

    DuckDB and PostgreSQL leave the bytes on the disk until they use the room again; --compact does
    not. What other places still hold: docs/warehouse.md.

    \b
    consumers warehouse erase --portal 010b6886ebc205e43ae65000ee00addb --reason T-1234
    consumers warehouse erase --comment 999 --compact
    """
    settings = _settings(context)
    try:
        about = about_of(comment_id, subject)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if member_id is None:
        if comment_id is None:
            raise click.UsageError("give --portal ID, --comment ID or both")
        member_id = str(_run(_portal_of(settings, comment_id)))
    what = f"portal {member_id}" if about is None else f"{about.kind} {about.id} of {member_id}"
    if not yes:
        click.confirm(f"Erase everything of {what} from the warehouse?", abort=True, err=True)
    erasure, event_id = _run(_erase(settings, member_id, about, reason))
    if is_compacted:
        _run(_compact(settings))
    if as_json:
        told = {"event_id": event_id, "erasure": erasure, "compacted": is_compacted}
        click.echo(json_line(told))
        return
    click.echo(f"{erasure.erased_count} rows of {what} erased; audit event {event_id}")
    if not is_compacted:
        click.echo("their bytes stay on the disk until the room is used again, or: --compact")


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


async def _portal_of(settings: Settings, comment_id: int) -> str:
    async with _warehouse(settings) as warehouse:
        portals = await warehouse.call(Warehouse.portals_of, comment_id)
    if len(portals) != 1:
        found = (
            f"{len(portals)} portals have ({', '.join(portals)})" if portals else "no portal has"
        )
        raise OperatorError(f"--comment {comment_id}: {found} such a comment; give --portal too")
    return portals[0]


async def _erase(
    settings: Settings, member_id: str, about: EventSubject | None, reason: str
) -> tuple[Erasure, str]:
    async with connections.control(settings.redis.url) as redis:
        await redis.ping()  # who cannot record must not erase
    async with _warehouse(settings) as warehouse:
        count = await warehouse.call(Warehouse.erase, member_id, about, datetime.now(UTC))
    erasure = Erasure.of(member_id, about, by=GROUP, erased_count=count, reason=reason)
    return erasure, await record_erasure(settings.redis, erasure)


async def _compact(settings: Settings) -> None:
    async with _warehouse(settings) as warehouse:
        await warehouse.call(Warehouse.compact)


def _warehouse(settings: Settings) -> AbstractAsyncContextManager[WarehouseThread]:
    return opened_on_thread(settings.warehouse, destination(settings.warehouse.destination))


@asynccontextmanager
async def _warehouse_and_redis(settings: Settings) -> AsyncIterator[tuple[WarehouseThread, Redis]]:
    async with (
        connections.control(settings.redis.url, timeout_s=10) as redis,
        _warehouse(settings) as warehouse,
    ):
        yield warehouse, redis


def _settings(context: click.Context) -> Settings:
    settings = settings_of(context)
    logs.configure(settings.log, process="warehouse")
    return settings


def _run(doing: Coroutine[Any, Any, Any]) -> Any:
    return _away_told(lambda: uvloop.run(doing))


def _away_told(doing: Callable[[], Any]) -> Any:
    try:
        return doing()
    except DestinationAway as error:
        raise OperatorError(f"[warehouse] destination: {error}") from error
    except connections.AWAY as error:
        raise OperatorError(f"[redis] url: {error}; what was under way can be repeated") from error
