"""`gateway erase` erases what Redis holds of a portal, or of one comment or contact of it."""

import asyncio
import sys
from typing import Final, NamedTuple

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.commandline import settings_of
from gateway.erasing.erasing import Erased, erase
from gateway.erasing.out_of_reach import out_of_reach
from gateway.erasing.rewriting import rewrite
from gateway.erasing.subject import Subject
from gateway.erasure_record import Erasure, about_of, record_erasure
from gateway.ops.answer_times import reached
from gateway.partitioning.partition_record import adopt_record
from gateway.portals.known_domains import known_domains, refuse_domain
from gateway.portals.registry import MEMBER_ID
from gateway.redis_access import connections
from gateway.settings import Settings

__all__ = ["ErasureOutcome", "command", "erase_from_redis"]

_GATEWAY: Final = "gateway"
_TIMEOUT_S: Final = 10.0
_REWRITE_S: Final = 600.0


class ErasureOutcome(NamedTuple):
    """What was erased, the id of the event that records it, whether the append-only file was
    written anew since, and whether the portal is still registered, so that its tokens and facts
    were left.
    """

    erased: Erased
    event_id: str
    is_rewritten: bool
    has_access: bool


class _Report(Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    member_id: str
    comment_id: int | None
    subject: str | None
    erased: Erased
    event_id: str
    aof_rewritten: bool
    out_of_reach: list[str]


@click.command("erase")
@click.option("--portal", "member_id", metavar="ID", required=True, help="The portal's member_id.")
@click.option(
    "--comment", "comment_id", type=click.IntRange(1), metavar="ID", help="Only this comment."
)
@click.option("--subject", metavar="KIND/ID", help="Only this deal, contact, …, as contact/7.")
@click.option("--reason", default="", help="For the audit log, such as the request's number.")
@click.option(
    "--rewrite-aof",
    is_flag=True,
    help="Let Redis write its append-only file anew, and wait for it.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(
    context: click.Context,
    *,
    member_id: str,
    comment_id: int | None,
    subject: str | None,
    reason: str,
    rewrite_aof: bool,
    yes: bool,
    as_json: bool,
) -> None:
    r"""Erase what Redis holds of a portal, or of one comment, contact, … of it.

    Texts on the streams, dead letters, redeliveries, notices that wait (nobody is told of them any
    more), what is to be asked for again, snapshots, hashes; of a portal also its events, its
    quarantine, and what is counted of it. Says what it does not reach. Cannot be undone. The
    erasure is recorded, through the stream, in the audit log.
    Exit code 1 if something still came up in the last walk, or the file was not rewritten: repeat
    it. docs/personal-data.md has every place.

    \b
    gateway erase --portal 010b6886ebc205e43ae65000ee00addb --comment 999 --reason T-1234
    gateway erase --portal 010b6886ebc205e43ae65000ee00addb --subject contact/7 --rewrite-aof
    """
    if not MEMBER_ID.fullmatch(member_id):
        raise click.BadParameter("letters, digits, `_`, `.`, `-`; up to 64", param_hint="--portal")
    settings = settings_of(context)
    try:
        whose = Subject(member_id=member_id, about=about_of(comment_id, subject))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not yes:
        click.confirm(f"Erase everything of {whose} from Redis?", abort=True, err=True)
    erased, event_id, is_rewritten, has_access = asyncio.run(
        erase_from_redis(settings, whose, reason=reason, rewrites=rewrite_aof)
    )
    left = out_of_reach(whose, is_rewritten=is_rewritten, has_access=has_access)
    if as_json:
        report = _Report(
            member_id=member_id,
            comment_id=whose.comment_id,
            subject=None if whose.about is None else str(whose.about),
            erased=erased,
            event_id=event_id,
            aof_rewritten=is_rewritten,
            out_of_reach=left,
        )
        click.echo(msgspec.json.encode(report))
    else:
        _print(erased, event_id, left)
    if not erased.is_whole:
        click.echo("more came while it was erased: run the command again", err=True)
    if rewrite_aof and not is_rewritten:
        click.echo("the append-only file was not rewritten: see the log of Redis", err=True)
    sys.exit(0 if erased.is_whole and (is_rewritten or not rewrite_aof) else 1)


def _print(erased: Erased, event_id: str, left: list[str]) -> None:
    for place, count in erased.found.items():
        click.echo(f"{count:>7} {place}")
    click.echo(f"audit event {event_id}")
    click.echo("Not reached:")
    for one in left:
        click.echo(f"  {one}")


async def erase_from_redis(
    settings: Settings, subject: Subject, *, reason: str = "", rewrites: bool = False
) -> ErasureOutcome:
    """Erase, and record that for the audit log.

    Raises one of connections.FAILURES, and then something may be left and nothing is recorded;
    ErasureNotRecorded when all is gone; OperatorError, and then nothing was erased, if a known
    portal is named by its domain.
    """
    redis_settings = settings.redis
    async with connections.control(redis_settings.url, timeout_s=_TIMEOUT_S) as redis:
        await reached(redis)
        await adopt_record(redis, redis_settings.streams)
        domains = await known_domains(redis, settings)
        refuse_domain(subject.member_id, domains)
        is_portal, is_registered = subject.is_portal, subject.member_id in domains
        erased = await erase(
            redis, redis_settings, subject, with_access=is_portal and not is_registered
        )
        count = sum(erased.found.values())
        erasure = Erasure.of(
            subject.member_id, subject.about, by=_GATEWAY, erased_count=count, reason=reason
        )
        erasure = replace(erasure, places=dict(erased.found))
        event_id = await record_erasure(redis_settings, erasure)
        is_rewritten = rewrites and await rewrite(redis, timeout_s=_REWRITE_S)
    return ErasureOutcome(erased, event_id, is_rewritten, is_portal and is_registered)
