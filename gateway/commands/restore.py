"""`gateway restore` puts a backup back."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import Struct

from gateway.backup.manifest import BackupPart
from gateway.backup.restoring import Plan, Restored, plan, restore
from gateway.commandline import settings_of
from gateway.commands.backup import PARTS, TIMEOUT_S, readable
from gateway.errors import OperatorError
from gateway.ops.answer_times import reached
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line, printable

__all__ = ["command"]


class _Report(Struct, frozen=True, kw_only=True):
    """What `--json` prints; `restored` is None after `--dry-run`."""

    plan: Plan
    restored: Restored | None


class _Wishes(Struct, frozen=True, kw_only=True):
    """What the operator has allowed."""

    parts: tuple[BackupPart, ...]
    replaces: bool
    without_vault_key: bool
    is_dry_run: bool


@click.command("restore")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@PARTS
@click.option("--replace", "replaces", is_flag=True, help="Remove what Redis has under the prefix.")
@click.option(
    "--without-vault-key",
    is_flag=True,
    help="Go on though no key opens the tokens: their portals have to install again.",
)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only look whether it could be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(
    context: click.Context,
    *,
    directory: Path,
    parts: Sequence[BackupPart],
    replaces: bool,
    without_vault_key: bool,
    is_dry_run: bool,
    as_json: bool,
) -> None:
    r"""Put the backup in DIR back: Redis first, then the spool and the audit log.

    Refused, before anything is changed, if it is not whole, a process is at work, a directory is
    not empty, Redis has something under the prefix (but for --replace), the number of partitions
    is another one, or [vault] keys do not open the tokens. Events since the backup are not in it,
    and what was handled since is handled again. Killed half-way, it is begun anew with --replace;
    start nothing before it has ended. More: docs/operations.md.

    \b
    gateway restore /srv/backups/2026-11-28 --dry-run
    gateway restore /srv/backups/2026-11-28 --part redis --replace
    """
    os.umask(0o077)
    wishes = _Wishes(
        parts=tuple(parts),
        replaces=replaces,
        without_vault_key=without_vault_key,
        is_dry_run=is_dry_run,
    )
    try:
        found, restored = asyncio.run(_restored(settings_of(context), directory, wishes))
    except OSError as error:
        raise OperatorError(readable(directory, error)) from error
    if as_json:
        click.echo(json_line(_Report(plan=found, restored=restored)))
        return
    what = f"{', '.join(found.parts)} of {found.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    if restored is None:
        click.echo(
            f"{printable(str(directory))}: whole, and can be put back: {what}; {found.keys} keys, "
            f"{found.entries} entries"
        )
        return
    click.echo(
        f"{what} is back: {restored.keys} keys, {restored.entries} entries, {restored.files} files"
    )
    click.echo("What was erased since then is back, too: erase it again (docs/personal-data.md).")


async def _restored(
    settings: Settings, directory: Path, wishes: _Wishes
) -> tuple[Plan, Restored | None]:
    async with connections.control(settings.redis.url, timeout_s=TIMEOUT_S) as redis:
        await reached(redis)
        found = await plan(redis, settings, directory, wishes.parts)
        if faults := [*found.faults, *_not_allowed(found, wishes)]:
            raise OperatorError("\n".join(faults))
        if wishes.is_dry_run:
            return found, None
        now_ms = time.time_ns() // 1_000_000
        return found, await restore(redis, settings, directory, found, now_ms=now_ms)


def _not_allowed(found: Plan, wishes: _Wishes) -> list[str]:
    faults = []
    if found.present_keys and not wishes.replaces:
        faults.append(
            f"Redis is not empty: {found.present_keys} keys under the prefix, which --replace "
            "removes"
        )
    if found.unreadable and not wishes.without_vault_key:
        sealed = ", ".join(f"{count} {kind}" for kind, count in sorted(found.unreadable.items()))
        faults.append(
            f"[vault] keys do not open what is sealed: {sealed}; put the key there that was there "
            "when the backup was taken, or go on with --without-vault-key"
        )
    return faults
