"""`gateway dead` shows dead letters, gives them back, and drops them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

import click
from msgspec import Struct
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.contract import Streams
from gateway.ops import dead_letter_access as ops
from gateway.ops.dead_letter_access import DeadLetterAddress, StoredLetter
from gateway.ops.text_tables import TablePages
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.terminal import json_line, printable, printable_lines

__all__ = ["command"]

_GROUP = click.option("--group", required=True, metavar="NAME", help="The group.")
_REASON = click.option(
    "--reason", metavar="CODE", help="Only these: undecodable, rejected, failed, crashed."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
_HEAD: Final = ("ADDRESS", "GROUP", "FAILED", "REASON", "ATTEMPTS", "ENTRY", "ERROR")
_Change = Callable[[Redis, Streams, str, list[DeadLetterAddress]], Awaitable[int]]


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
    r"""Dead letters: list, show, retry, drop.

    More: docs/consumers.md.

    \b
    gateway dead list --group notifier
    gateway dead retry --group notifier --all
    """


@command.command("list")
@click.option("--group", metavar="NAME", help="Only this group; default: all that have any.")
@_REASON
@_JSON
@click.pass_context
def list_letters(
    context: click.Context, *, group: str | None, reason: str | None, as_json: bool
) -> None:
    r"""List dead letters, oldest first.

    ADDRESS is what the other commands take, ENTRY where the event stands on the stream, ATTEMPTS
    how often it was tried. More: docs/consumers.md.

    \b
    gateway dead list
    gateway dead list --group notifier --reason rejected --json
    """
    asyncio.run(_list(settings_of(context), group, reason, as_json=as_json))


async def _list(
    settings: Settings, group: str | None, reason: str | None, *, as_json: bool
) -> None:
    pages = TablePages(_HEAD)
    is_any = False
    async with connections.control(settings.redis.url) as redis:
        streams = settings.redis.streams
        for name in [group] if group else await ops.groups_with_dead_letters(redis, streams):
            newest = await ops.newest_letters(redis, streams, name)
            async for some in ops.dead_letters(redis, streams, name, newest, reason=reason):
                is_any = True
                if as_json:
                    for stored in some:
                        click.echo(json_line(_plain(stored, is_whole=False)))
                else:
                    click.echo(pages.page([_row(stored) for stored in some]))
    if not is_any and not as_json:
        click.echo("no dead letters")


def _row(stored: StoredLetter) -> tuple[object, ...]:
    letter = stored.letter
    return (
        stored.address,
        letter.group,
        letter.failed_at,
        letter.reason,
        letter.attempts,
        f"{letter.stream}/{letter.entry_id}",
        letter.error[:60],
    )


@command.command("show")
@click.argument("address")
@_GROUP
@_JSON
@click.pass_context
def show(context: click.Context, *, address: str, group: str, as_json: bool) -> None:
    r"""Show one dead letter with its event.

    More: docs/consumers.md.

    \b
    gateway dead show --group notifier 0/1795381890441-0
    gateway dead show --group notifier 0/1795381890441-0 --json
    """
    found = asyncio.run(_at(settings_of(context), group, _addresses([address])))
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
    r"""Give dead letters back to their group, and to no other; it handles them like new ones.

    More: docs/consumers.md.

    \b
    gateway dead retry --group notifier 0/1795381890441-0
    gateway dead retry --group notifier --reason failed --all
    """
    count = asyncio.run(_change(settings_of(context), choice, ops.retry))
    click.echo(json_line({"retried": count}) if as_json else f"given back: {count}")


@command.command("drop")
@_chosen
@_JSON
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask before --all are deleted.")
@click.pass_context
def drop(context: click.Context, *, choice: _Choice, as_json: bool, is_sure: bool) -> None:
    r"""Delete dead letters for good. The events stay on their stream as long as it keeps them.

    More: docs/consumers.md.

    \b
    gateway dead drop --group notifier 0/1795381890441-0
    gateway dead drop --group notifier --reason rejected --all
    """
    count = asyncio.run(_change(settings_of(context), choice, ops.drop, is_sure=is_sure))
    click.echo(json_line({"dropped": count}) if as_json else f"dropped: {count}")


async def _change(
    settings: Settings, choice: _Choice, change: _Change, *, is_sure: bool = True
) -> int:
    """Change the letters of a choice that are there now; how many were still there.

    Whoever is not sure is asked first where it is about all of them.
    """
    streams, group, reason = settings.redis.streams, choice.group, choice.reason
    async with connections.control(settings.redis.url) as redis:
        if not choice.is_all:
            found = await ops.letters_at(redis, streams, group, choice.addresses, reason=reason)
            return await change(redis, streams, group, [stored.address for stored in found])
        newest = await ops.newest_letters(redis, streams, group)
        if not is_sure:
            pages = ops.dead_letters(redis, streams, group, newest, reason=reason)
            count = sum([len(some) async for some in pages])
            if count:
                click.confirm(f"delete {count} dead letters of {group}?", abort=True, err=True)
        count = 0
        async for some in ops.dead_letters(redis, streams, group, newest, reason=reason):
            count += await change(redis, streams, group, [stored.address for stored in some])
        return count


def _addresses(texts: tuple[str, ...] | list[str]) -> list[DeadLetterAddress]:
    try:
        return [DeadLetterAddress.of(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from error


async def _at(
    settings: Settings, group: str, addresses: list[DeadLetterAddress]
) -> list[StoredLetter]:
    async with connections.control(settings.redis.url) as redis:
        return await ops.letters_at(redis, settings.redis.streams, group, addresses)


def _plain(stored: StoredLetter, *, is_whole: bool) -> dict[str, object]:
    letter = stored.letter
    plain: dict[str, object] = {
        "address": str(stored.address),
        **{name: getattr(letter, name) for name in letter.__struct_fields__ if name != "event"},
    }
    if is_whole:
        plain["event"] = letter.event.decode(errors="backslashreplace")
    return plain
