"""`gateway vault` shows by which keys things are sealed, and seals them anew."""

import asyncio
from collections.abc import Sequence

import click

from gateway.commandline import settings_of
from gateway.commands.row_output import Row, echo_rows
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.settings import Settings
from gateway.terminal import json_line
from gateway.vault.encryption import Vault
from gateway.vault.resealing import Census, Resealing

__all__ = ["command"]


@click.group("vault")
def command() -> None:
    r"""What is kept encrypted, by which keys; seal it anew.

    More: docs/portals.md.

    \b
    gateway vault check
    gateway vault rotate
    """


@command.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per kind and key.")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    r"""How much is sealed by which key; a key without anything may be taken out of the settings.

    KEY 1 is the newest. Ends with 1 if something is sealed by a key that is not listed. More:
    docs/portals.md.

    \b
    gateway vault check
    gateway vault check --json
    """
    settings = settings_of(context)
    census = asyncio.run(_census(settings))
    echo_rows(_rows(census, len(settings.vault.keys)), as_json=as_json, empty="nothing is sealed")
    context.exit(1 if any(counts[None] for counts in census.values()) else 0)


@command.command("rotate")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def rotate(context: click.Context, *, as_json: bool) -> None:
    r"""Seal anew, by the newest key, what an older one has sealed; may be repeated.

    Run it when every process has the new key, which is when all have been started again: until
    then, some seal by the old one. Then `gateway vault check` says which key is unused. More:
    docs/portals.md.

    \b
    gateway vault rotate
    gateway vault rotate --config /etc/gateway/gateway.toml
    """
    count = asyncio.run(_reseal(settings_of(context)))
    click.echo(json_line({"sealed": count}) if as_json else f"{count} sealed anew")


async def _census(settings: Settings) -> Census:
    vault = _vault(settings)
    async with answering(settings.redis) as client:
        return await Resealing(client, vault, prefix=settings.redis.prefix).census()


async def _reseal(settings: Settings) -> int:
    vault = _vault(settings)
    async with answering(settings.redis) as client:
        return await Resealing(client, vault, prefix=settings.redis.prefix).reseal()


def _vault(settings: Settings) -> Vault:
    vault = Vault.of(settings.vault)
    if vault is None:
        raise OperatorError("[vault] keys: none is set, so nothing is sealed")
    return vault


def _rows(census: Census, key_count: int) -> Sequence[Row]:
    """A row for each listed key, and one for what none of them opens."""
    rows: list[Row] = []
    for key in (*range(1, key_count + 1), None):
        counts = {kind: by_key[key] for kind, by_key in census.items()}
        if key is None and not any(counts.values()):
            continue
        use = "newest" if key == 1 else "needed" if any(counts.values()) else "unused"
        rows.append({"key": key or "not listed", **counts, "use": use if key else "unreadable"})
    return rows
