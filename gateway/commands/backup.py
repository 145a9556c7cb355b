"""`gateway backup` takes what an installation cannot be made of again."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import click

from gateway.backup.backing_up import back_up, parts_here
from gateway.backup.manifest import BackupPart, Manifest
from gateway.commandline import settings_of
from gateway.errors import OperatorError
from gateway.ops.answer_times import reached
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["PARTS", "TIMEOUT_S", "command", "readable"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

TIMEOUT_S: Final = 30.0
"""What one command of a backup may take of Redis: a page, or all that a partition has in hand."""
_PARTS: Final = get_args(BackupPart)
PARTS: Final[Callable[[_Command], _Command]] = click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    help="Only this; may be repeated. [default: all that is here]",
)


@click.command("backup")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@PARTS
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(
    context: click.Context, *, directory: Path, parts: Sequence[BackupPart], as_json: bool
) -> None:
    r"""Take a backup into DIR, which is empty or not there yet, and check it.

    Of Redis: portals, tokens as they are sealed, streams with the positions of groups and what they
    have in hand, dead letters and all else under the prefix; of this machine: the spool and the
    audit log. Everything goes on meanwhile. Not the vault's key, nor the settings: keep these
    elsewhere. It holds personal data. More: docs/operations.md.

    \b
    gateway backup /srv/backups/2026-11-28
    gateway backup /srv/backups/2026-11-28-events2 --part spool --part audit
    """
    settings = settings_of(context)
    os.umask(0o077)
    try:
        manifest = asyncio.run(_taken(settings, parts, directory))
    except OSError as error:
        raise OperatorError(readable(directory, error)) from error
    if as_json:
        click.echo(json_line(manifest))
        return
    size = sum(file.bytes for file in manifest.files)
    click.echo(
        f"{printable(str(directory))}: {', '.join(manifest.parts)}; {manifest.keys} keys, "
        f"{manifest.entries} entries, {len(manifest.files)} files, {size} bytes; whole"
    )
    click.echo("The vault's key and the settings are not in it: keep them, and elsewhere.")


def readable(directory: Path, error: OSError) -> str:
    """One line about a file that cannot be read or written."""
    return f"{error.filename or directory}: {error.strerror or error}"


async def _taken(settings: Settings, parts: Sequence[BackupPart], directory: Path) -> Manifest:
    here = parts_here(settings)
    for part in parts:
        if part not in here:
            raise OperatorError(f"[{part}] dir: there is no such directory on this machine")
    wanted = tuple(part for part in here if not parts or part in parts)
    async with connections.control(settings.redis.url, timeout_s=TIMEOUT_S) as redis:
        if "redis" in wanted:
            await reached(redis)
        return await back_up(redis, settings, wanted, directory)
