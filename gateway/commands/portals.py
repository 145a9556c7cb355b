"""`gateway portals` says who may send."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import click
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.commands import portal_canary, portal_check, portal_gaps, portal_quarantine
from gateway.commands.erase import erase_from_redis
from gateway.commands.portal_rows import rows_of
from gateway.commands.row_output import echo_rows
from gateway.erasing.subject import Subject
from gateway.errors import OperatorError
from gateway.ops.answer_times import answering
from gateway.portals.application_tokens import digest_of, shown
from gateway.portals.disk_copy import DiskCopy
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import DOMAIN, MEMBER_ID, Registration, Registry, is_lost
from gateway.settings import Settings, resolve_secret
from gateway.terminal import json_line

__all__ = ["command"]

T = TypeVar("T")

_SECONDS_NOTE: Final = "Receivers know it within seconds."


@click.group("portals")
def command() -> None:
    r"""Registered portals: who may send, and how they stand.

    Portals stand in the settings ([[portals]]), or are added here while the gateway runs. Tokens
    are kept as digests, and never shown. More: docs/portals.md.

    \b
    gateway portals list
    gateway portals check --portal acme.bitrix24.com
    """


command.add_command(portal_gaps.command)
command.add_command(portal_quarantine.command)
command.add_command(portal_check.command)
command.add_command(portal_canary.command)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per token.")
@click.pass_context
def list_(context: click.Context, *, as_json: bool) -> None:
    r"""All registered portals, a line for each of their tokens.

    ACCESS is how a portal is called: by the application since it was installed, or by a webhook of
    the settings; APPLICATION and AUTHORIZATION SERVER say which one it has installed. Portals that
    have uninstalled are listed as long as their data is to be erased. More: docs/portals.md.

    \b
    gateway portals list
    gateway portals list --json
    """
    settings = settings_of(context)
    registrations = _ask(settings, _registrations)
    rows = rows_of(settings, registrations, _ask_facts(settings, PortalFacts.all))
    echo_rows(rows, as_json=as_json, empty="no portals are registered")


@command.command("erased")
@click.argument("member_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def erased(context: click.Context, *, member_id: str, as_json: bool) -> None:
    r"""Say that the data of a portal, which asked for it, is erased everywhere else.

    Erases what Redis still holds of it, the mark included, as `gateway erase --portal` does; of a
    portal that is registered again only the mark, for the rest may be of its new time. More:
    docs/personal-data.md.

    \b
    gateway portals erased 010b6886ebc205e43ae65000ee00addb
    gateway portals erased 010b6886ebc205e43ae65000ee00addb --config other.toml
    """
    settings = settings_of(context)

    async def is_marked(facts: PortalFacts) -> bool:
        return (await facts.of(member_id)).erasure_due_since is not None

    async def take_mark(facts: PortalFacts) -> None:
        await facts.learn(member_id, erasure_due_since=None)

    if not _ask_facts(settings, is_marked):
        raise OperatorError(f"{member_id} is not marked for erasure")
    registered = {one.member_id for one in _ask(settings, _registrations)}
    registered |= {portal.member_id for portal in settings.portals}
    is_back, count = member_id in registered, 0
    if is_back:
        _ask_facts(settings, take_mark)
        said = f"{member_id} is registered again: gateway erase --portal {member_id} erases it"
    else:
        found = asyncio.run(erase_from_redis(settings, Subject(member_id=member_id))).erased
        if not found.is_whole:
            raise OperatorError(f"more of {member_id} came meanwhile: run the command again")
        count = sum(found.found.values())
        said = f"{count} things of {member_id} erased from Redis"
    if as_json:
        row = {"member_id": member_id, "erased": count, "is_registered": is_back}
        click.echo(json_line(row))
    else:
        click.echo(f"{said}\n{member_id} is no longer marked for erasure")


@command.command("add")
@click.argument("member_id")
@click.option("--domain", help="Its address, for people; a portal that is known keeps its own.")
@click.option(
    "--token",
    required=True,
    metavar="TOKEN",
    help="The application token: env:NAME, file:/path, - for standard input, or the token itself.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object.")
@click.pass_context
def add(
    context: click.Context, *, member_id: str, domain: str | None, token: str, as_json: bool
) -> None:
    r"""Let a portal send with one more token.

    A portal may have several: one of the application and of each outgoing webhook, and during a
    rotation the old one and the new one. More: docs/portals.md.

    \b
    gateway portals add 010b6886ebc205e43ae65000ee00addb --domain acme.bitrix24.com --token -
    gateway portals add 010b6886ebc205e43ae65000ee00addb --token env:ACME_APPLICATION_TOKEN
    """
    member_id, domain = member_id.strip(), domain and domain.strip().lower()
    if not MEMBER_ID.fullmatch(member_id):
        raise click.BadParameter("letters, digits, `_`, `.`, `-`; up to 64", param_hint="MEMBER_ID")
    if domain is not None and not DOMAIN.fullmatch(domain):
        raise click.BadParameter("a host name, as acme.bitrix24.com", param_hint="--domain")
    digest = digest_of(_token(token))
    settings = settings_of(context)

    async def register(registry: Registry) -> str:
        await _put_back(registry, settings)
        named = domain or _domain_of(member_id, settings, await _registrations(registry))
        if not named:
            raise click.UsageError(f"{member_id} is not known yet: name its --domain")
        await registry.add(member_id, named, digest, now=datetime.now(UTC))
        return named

    named = _ask(settings, register)
    if as_json:
        row = {"member_id": member_id, "domain": named, "token_digest": shown(digest)}
        click.echo(json_line(row))
    else:
        click.echo(f"added: {member_id} may send with token {shown(digest)}. {_SECONDS_NOTE}")


@command.command("remove")
@click.argument("member_id")
@click.option(
    "--token-digest",
    metavar="HEX",
    help="Only the token whose digest begins so, as `portals list` shows it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per token.")
@click.pass_context
def remove(
    context: click.Context, *, member_id: str, token_digest: str | None, as_json: bool
) -> None:
    r"""Let a portal, or one of its tokens, no longer send.

    More: docs/portals.md.

    \b
    gateway portals remove 010b6886ebc205e43ae65000ee00addb
    gateway portals remove 010b6886ebc205e43ae65000ee00addb --token-digest 3fa9
    """
    settings = settings_of(context)

    async def forget(registry: Registry) -> list[Registration]:
        ours = [one for one in await _registrations(registry) if one.member_id == member_id]
        chosen = _chosen(ours, token_digest)
        await registry.remove(chosen)
        return chosen

    removed = _ask(settings, forget)
    is_settled = any(portal.member_id == member_id for portal in settings.portals)
    for one in removed:
        row = {"member_id": member_id, "token_digest": shown(one.digest)}
        said = f"removed: token {shown(one.digest)} of {member_id}. {_SECONDS_NOTE}"
        click.echo(json_line(row) if as_json else said)
    if is_settled:
        said = f"{member_id} still stands in the settings, with the tokens given there"
        click.echo(said, err=as_json)
    elif not removed:
        raise OperatorError(f"{member_id} is not registered")


def _ask(settings: Settings, question: Callable[[Registry], Awaitable[T]]) -> T:
    """What the registry says."""
    prefix = settings.redis.prefix
    return _ask_redis(settings, lambda client: question(Registry(client, prefix=prefix)))


def _ask_facts(settings: Settings, question: Callable[[PortalFacts], Awaitable[T]]) -> T:
    """What is known of portals."""
    prefix = settings.redis.prefix
    return _ask_redis(settings, lambda client: question(PortalFacts(client, prefix=prefix)))


def _ask_redis(settings: Settings, question: Callable[[Redis], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with answering(settings.redis) as client:
            return await question(client)

    return asyncio.run(ask())


async def _put_back(registry: Registry, settings: Settings) -> None:
    """A first registration in a Redis that lost its data would end what this machine knows."""
    snapshot = DiskCopy(Path(settings.spool.dir), prefix=settings.redis.prefix)
    known = snapshot.load()
    if known is not None and is_lost(known, await registry.version()):
        await registry.put_back(known)


async def _registrations(registry: Registry) -> list[Registration]:
    reading = await registry.read()
    if reading.unreadable_count:
        click.echo(f"warning: {reading.unreadable_count} registrations are unreadable", err=True)
    return sorted(reading.registrations, key=lambda one: (one.member_id, one.added_at))


def _token(given: str) -> str:
    """The token behind the option; raises OperatorError if it is empty or missing."""
    if given != "-":
        return resolve_secret(given, name="--token")
    text = click.prompt("token", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise OperatorError("--token: standard input is empty")
    return text.strip()


def _domain_of(member_id: str, settings: Settings, registered: Iterable[Registration]) -> str:
    """What a known portal is called, or an empty text."""
    settled = {portal.member_id: portal.domain for portal in settings.portals}
    learnt = {one.member_id: one.domain for one in registered}
    return settled.get(member_id) or learnt.get(member_id, "")


def _chosen(ours: list[Registration], token_digest: str | None) -> list[Registration]:
    """Those of a portal that are meant; raises OperatorError unless a prefix means exactly one."""
    if token_digest is None:
        return ours
    matching = [one for one in ours if one.digest.hex().startswith(token_digest.lower())]
    if not token_digest or len(matching) != 1:
        raise OperatorError(
            f"--token-digest {token_digest} matches {len(matching)} registered tokens, not one"
        )
    return matching
