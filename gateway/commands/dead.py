"""`gateway dead` shows dead letters, gives them back, and drops them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import click
from msgspec import Struct
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.contract import Streams
from gateway.ops import dead_letter_access as ops
from gateway.ops.dead_letter_access import DeadLetterAddress, StoredLetter
from gateway.ops.text_tables import table
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line, printable, printable_lines

__all__ = ["command"]

_GROUP = click.option("--group", required=True, metavar="NAME", help="The group.")
_REASON = click.option(
    "--reason", metavar="CODE", help="Only these: undecodable, rejected, failed, crashed."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


class _Choice(Struct, frozen=True):
    """Letters of a group: those at the addresses, or all, as far as they have the reason."""

    group: str
    reason: str | None
    addresses: list[DeadLetterAddress]
    is_all: bool


def _chosen(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that choose letters of a group; the command gets them as its `choice`."""

    @click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
    @_GROUP
    @_REASON
    @click.option("--all", "is_all", is_flag=True, help="All of the group, or all of the reason.")
    @wraps(function)
    def command(
        *, addresses: tuple[str, ...], group: str, reason: str | None, is_all: bool, **rest: Any
    ) -> None:
        if bool(addresses) == is_all:
            raise click.UsageError("give addresses, or --all")
        function(choice=_Choice(group, reason, _addresses(addresses), is_all), **rest)

    return command


@click.group("dead")
def command() -> None:
    """Dead letters: list, show, retry, drop."""


@command.command("list")
@click.option("--group", metavar="NAME", help="Only this group; default: all that have any.")
@_REASON
@_JSON
@click.pass_context
def list_letters(
    context: click.Context, *, group: str | None, reason: str | None, as_json: bool
) -> None:
    """List dead letters, oldest first."""
    settings = settings_of(context)
    found = asyncio.run(_find(settings, group, reason))
    if as_json:
        for stored in found:
            click.echo(json_line(_plain(stored, is_whole=False)))
        return
    head = ("ADDRESS", "GROUP", "FAILED", "REASON", "ATTEMPTS", "ENTRY", "ERROR")
    rows = [
        (
            stored.address,
            stored.letter.group,
            stored.letter.failed_at,
            stored.letter.reason,
            stored.letter.attempts,
            f"{stored.letter.stream}/{stored.letter.entry_id}",
            stored.letter.error[:60],
        )
        for stored in found
    ]
    click.echo(table(head, rows) if rows else "no dead letters")


@command.command("show")
@click.argument("address")
@_GROUP
@_JSON
@click.pass_context
def show(context: click.Context, *, address: str, group: str, as_json: bool) -> None:
    """Show one dead letter with its event."""
    found = asyncio.run(_find(settings_of(context), group, None, _addresses([address])))
    if not found:
        raise click.ClickException(f"{group} has no dead letter {address}")
    plain = _plain(found[0], is_whole=True)
    if as_json:
        click.echo(json_line(plain))
        return
    traceback = plain.pop("traceback")
    for name, value in plain.items():
        click.echo(printable(f"{name:10} {value}"))
    if traceback:
        click.echo(f"\n{printable_lines(str(traceback))}")
    click.echo(f"\ngive it back:  gateway dead retry --group {group} {address}")


@command.command("retry")
@_chosen
@_JSON
@click.pass_context
def retry(context: click.Context, *, choice: _Choice, as_json: bool) -> None:
    """Give dead letters back to their group, and to no other; it handles them like new ones."""
    settings = settings_of(context)
    count = asyncio.run(_change(settings, choice.group, _letters(settings, choice), ops.retry))
    click.echo(json_line({"retried": count}) if as_json else f"given back: {count}")


@command.command("drop")
@_chosen
@_JSON
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask before --all are deleted.")
@click.pass_context
def drop(context: click.Context, *, choice: _Choice, as_json: bool, is_sure: bool) -> None:
    """Delete dead letters for good. The events stay on their stream as long as it keeps them."""
    settings = settings_of(context)
    letters = _letters(settings, choice)
    if letters and choice.is_all and not is_sure:
        click.confirm(
            f"delete {len(letters)} dead letters of {choice.group}?", abort=True, err=True
        )
    count = asyncio.run(_change(settings, choice.group, letters, ops.drop))
    click.echo(json_line({"dropped": count}) if as_json else f"dropped: {count}")


def _letters(settings: Settings, choice: _Choice) -> list[DeadLetterAddress]:
    found = asyncio.run(_find(settings, choice.group, choice.reason, choice.addresses))
    return [stored.address for stored in found]


async def _change(
    settings: Settings,
    group: str,
    letters: list[DeadLetterAddress],
    change: Callable[[Redis, Streams, str, list[DeadLetterAddress]], Awaitable[int]],
) -> int:
    async with connections.control(settings.redis.url) as redis:
        return await change(redis, settings.redis.streams, group, letters)


def _addresses(texts: tuple[str, ...] | list[str]) -> list[DeadLetterAddress]:
    try:
        return [DeadLetterAddress.of(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from error


async def _find(
    settings: Settings,
    group: str | None,
    reason: str | None,
    addresses: list[DeadLetterAddress] | None = None,
) -> list[StoredLetter]:
    streams = settings.redis.streams
    async with connections.control(settings.redis.url) as redis:
        groups = [group] if group else await ops.groups_with_dead_letters(redis, streams)
        return [
            stored
            for name in groups
            async for stored in ops.dead_letters(
                redis, streams, name, reason=reason, addresses=addresses or ()
            )
        ]


def _plain(stored: StoredLetter, *, is_whole: bool) -> dict[str, object]:
    letter = stored.letter
    plain: dict[str, object] = {
        "address": str(stored.address),
        **{name: getattr(letter, name) for name in letter.__struct_fields__ if name != "event"},
    }
    if is_whole:
        plain["event"] = letter.event.decode(errors="backslashreplace")
    return plain
