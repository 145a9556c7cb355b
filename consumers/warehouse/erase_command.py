"""`consumers warehouse erase` erases the rows of a portal, or of one subject of it."""

from datetime import UTC, datetime

import click

from consumers.warehouse.command_access import opened_warehouse, run, warehouse_settings
from consumers.warehouse.consumer import GROUP
from consumers.warehouse.row_loading import Warehouse
from gateway.contract import EventSubject
from gateway.erasure_record import Erasure, about_of, record_erasure
from gateway.errors import OperatorError
from gateway.portals.known_domains import known_domains, refuse_domain
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["erase"]


@click.command("erase")
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
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
    settings = warehouse_settings(context)
    try:
        about = about_of(comment_id, subject)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if member_id is None:
        if comment_id is None:
            raise click.UsageError("give --portal ID, --comment ID or both")
        member_id = str(run(_portal_of(settings, comment_id)))
    what = f"portal {member_id}" if about is None else f"{about.kind} {about.id} of {member_id}"
    if not yes:
        click.confirm(f"Erase everything of {what} from the warehouse?", abort=True, err=True)
    erasure, event_id = run(_erase(settings, member_id, about, reason))
    if is_compacted:
        run(_compact(settings))
    if as_json:
        told = {"event_id": event_id, "erasure": erasure, "compacted": is_compacted}
        click.echo(json_line(told))
        return
    click.echo(f"{erasure.erased_count} rows of {what} erased; audit event {event_id}")
    if not is_compacted:
        click.echo("their bytes stay on the disk until the room is used again, or: --compact")


async def _portal_of(settings: Settings, comment_id: int) -> str:
    async with opened_warehouse(settings) as warehouse:
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
        # Who cannot record must not erase.
        refuse_domain(member_id, await known_domains(redis, settings))
    async with opened_warehouse(settings) as warehouse:
        count = await warehouse.call(Warehouse.erase, member_id, about, datetime.now(UTC))
    erasure = Erasure.of(member_id, about, by=GROUP, erased_count=count, reason=reason)
    return erasure, await record_erasure(settings.redis, erasure)


async def _compact(settings: Settings) -> None:
    async with opened_warehouse(settings) as warehouse:
        await warehouse.call(Warehouse.compact)
