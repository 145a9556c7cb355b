"""`gateway spool` shows what waits on this machine, and recovers a file that was set aside."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct

from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.batch_file import SpoolFile
from gateway.publishing.spool.salvage import Recovery, recover
from gateway.publishing.spool.sqlite_database import set_aside_files
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["command"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Status(Struct):
    """`oldest_at` is None when nothing waits."""

    events: int
    event_bytes: int
    oldest_at: datetime | None
    set_aside: list[str]


@click.group("spool")
def command() -> None:
    r"""Events that wait on this machine; recover a file that was set aside.

    More: docs/reliability.md.

    \b
    gateway spool status
    gateway spool recover var/spool/spool.sqlite3.corrupt-1
    """


@command.command("status")
@_JSON
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    r"""Show how much waits, since when, and which files were set aside as corrupt or unreadable.

    The bytes are those of the events alone. More: docs/reliability.md.

    \b
    gateway spool status
    gateway spool status --json
    """
    settings = settings_of(context)
    with closing(_spool_of(settings)) as spool:
        events, size, oldest_ms = spool.totals()
    found = Status(
        events=events,
        event_bytes=size,
        oldest_at=datetime.fromtimestamp(oldest_ms / 1000, UTC) if oldest_ms else None,
        set_aside=[str(path) for path in set_aside_files(Path(settings.spool.dir))],
    )
    if as_json:
        click.echo(json_line(found))
        return
    since = f", the oldest since {found.oldest_at:%Y-%m-%d %H:%M:%S} UTC" if found.oldest_at else ""
    click.echo(f"{events} events wait ({size} bytes){since}")
    for path in found.set_aside:
        click.echo(f"set aside: {path}")


@command.command("recover")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--even-if-trimmed",
    is_flag=True,
    help="Go on where a trimmed stream no longer tells what was published.",
)
@_JSON
@click.pass_context
def recover_file(
    context: click.Context, *, file: Path, even_if_trimmed: bool, as_json: bool
) -> None:
    r"""Put the events of a set-aside FILE back into the spool.

    Those that are on their stream or in the spool already are left out, so that nothing is
    published twice. The receiver publishes the others; it may go on running. FILE stays. More:
    docs/reliability.md.

    \b
    gateway spool recover var/spool/spool.sqlite3.corrupt-1
    gateway spool recover --even-if-trimmed --json var/spool/spool.sqlite3.corrupt-1
    """
    found = asyncio.run(_recover(settings_of(context), file, even_if_trimmed=even_if_trimmed))
    if as_json:
        click.echo(json_line(found))
        return
    click.echo(
        f"{found.found} events found: {found.put_back} put back into the spool, "
        f"{found.already_published} left out, since they are published or wait already"
    )
    if found.damaged:
        click.echo(
            f"{found.damaged} batches are damaged; SQLite's own tool may find more: "
            "https://sqlite.org/recovery.html"
        )


async def _recover(settings: Settings, file: Path, *, even_if_trimmed: bool) -> Recovery:
    async with answering(settings.redis) as redis:
        with closing(_spool_of(settings)) as spool:
            try:
                return await recover(
                    file, spool, redis, settings.redis.streams, even_if_trimmed=even_if_trimmed
                )
            except SpoolUnavailable as error:
                raise OperatorError(f"[spool] dir {settings.spool.dir}: {error}") from error


def _spool_of(settings: Settings) -> SpoolFile:
    directory = Path(settings.spool.dir)
    if not directory.is_dir():
        raise OperatorError(f"[spool] dir {directory}: there is no such directory")
    try:
        return SpoolFile(directory, max_bytes=settings.spool.max_bytes, is_checked=False)
    except SpoolUnavailable as error:
        raise OperatorError(f"[spool] dir {directory} cannot be used: {error}") from error
