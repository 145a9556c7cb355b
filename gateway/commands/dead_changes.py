"""`gateway dead retry` and `drop` change dead letters: some by their address, or all of a kind.

What is about all is shown first, and asked for.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

import click
from msgspec import Struct
from redis.asyncio import Redis

from gateway.commandline import settings_of
from gateway.commands.dead_filters import GROUP, JSON, addresses_of, filtered
from gateway.contract import Streams
from gateway.ops import dead_letter_access as ops
from gateway.ops.answer_times import answering
from gateway.ops.dead_letter_access import DeadLetterAddress, LetterFilter, StoredLetter
from gateway.settings import Settings
from gateway.status.quantities import counted
from gateway.terminal import json_line, printable

__all__ = ["COMMANDS"]

_Change = Callable[[Redis, Streams, str, list[DeadLetterAddress]], Awaitable[int]]
_MOST_SHOWN: Final = 5


class _Choice(Struct, frozen=True):
    """Letters of a group: those at the addresses, or all, as far as they are wanted."""

    group: str
    wanted: LetterFilter
    addresses: list[DeadLetterAddress]
    is_all: bool
    is_sure: bool
    dry_run: bool


def _chosen(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments that choose letters of a group; the command gets them as its `choice`."""

    @click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
    @GROUP
    @filtered
    @click.option("--all", "is_all", is_flag=True, help="All that are meant: shown, and asked for.")
    @click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
    @click.option("--dry-run", is_flag=True, help="Only show what is meant.")
    @wraps(function)
    def command(*, addresses: tuple[str, ...], is_all: bool, **rest: Any) -> None:
        if bool(addresses) == is_all:
            raise click.UsageError("give addresses, or --all")
        chosen = {name: rest.pop(name) for name in ("group", "wanted", "is_sure", "dry_run")}
        choice = _Choice(addresses=addresses_of(addresses), is_all=is_all, **chosen)
        function(choice=choice, **rest)

    return command


@click.command("retry")
@_chosen
@JSON
@click.pass_context
def retry(context: click.Context, *, choice: _Choice, as_json: bool) -> None:
    r"""Give dead letters back to their group, and to no other; it handles them like new ones.

    One that fails again is a dead letter again, and keeps how it died before. More:
    docs/consumers.md.

    \b
    gateway dead retry --group notifier 0/1795381890441-0
    gateway dead retry --group notifier --reason failed --portal acme.bitrix24.com --all
    """
    count = asyncio.run(_change(settings_of(context), choice, ops.retry, "give back"))
    _tell(count, choice, "retried", "given back", as_json=as_json)


@click.command("drop")
@_chosen
@JSON
@click.pass_context
def drop(context: click.Context, *, choice: _Choice, as_json: bool) -> None:
    r"""Delete dead letters for good. The events stay on their stream as long as it keeps them.

    More: docs/consumers.md.

    \b
    gateway dead drop --group notifier 0/1795381890441-0
    gateway dead drop --group notifier --reason rejected --until 7d --all
    """
    count = asyncio.run(_change(settings_of(context), choice, ops.drop, "delete"))
    _tell(count, choice, "dropped", "dropped", as_json=as_json)


def _tell(count: int, choice: _Choice, name: str, done: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_line({name: count} | ({"dry_run": True} if choice.dry_run else {})))
    else:
        click.echo(f"{'would be ' if choice.dry_run else ''}{done}: {count}")


async def _change(settings: Settings, choice: _Choice, change: _Change, what: str) -> int:
    """Change the letters of a choice that are there now; how many were still there, or would be.

    Whoever is not sure is shown first what it is about, and asked, where it is about all of them.
    """
    streams, group, wanted = settings.redis.streams, choice.group, choice.wanted
    async with answering(settings.redis) as redis:
        if not choice.is_all:
            found = await ops.letters_at(redis, streams, group, choice.addresses, wanted)
            if choice.dry_run:
                _show(_Preview().add(found))
                return len(found)
            return await change(redis, streams, group, [stored.address for stored in found])
        newest = await ops.newest_letters(redis, streams, group)
        if choice.dry_run or not choice.is_sure:
            preview = _Preview()
            async for some in ops.dead_letters(redis, streams, group, newest, wanted):
                preview.add(some)
            _show(preview)
            if choice.dry_run or not preview.count:
                return preview.count
            letters = counted(preview.count, "dead letter")
            click.confirm(f"{what} {letters} of {group}?", abort=True, err=True)
        count = 0
        async for some in ops.dead_letters(redis, streams, group, newest, wanted):
            count += await change(redis, streams, group, [stored.address for stored in some])
        return count


class _Preview:
    """Sums up letters, however many there are."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at, self.last_at = "", ""
        self.by: dict[str, Counter[str]] = {
            "reason": Counter(),
            "type": Counter(),
            "portal": Counter(),
        }

    def add(self, some: list[StoredLetter]) -> "_Preview":
        """Count these."""
        for stored in some:
            self.count += 1
            at = stored.letter.failed_at
            self.first_at, self.last_at = min(self.first_at or at, at), max(self.last_at, at)
            self.by["reason"][stored.letter.reason or "-"] += 1
            self.by["type"][stored.type or "-"] += 1
            self.by["portal"][stored.portal or "-"] += 1
        return self


def _show(preview: _Preview) -> None:
    click.echo(counted(preview.count, "dead letter"), err=True)
    if not preview.count:
        return
    click.echo(printable(f"  given up {preview.first_at} to {preview.last_at}"), err=True)
    for name, counts in preview.by.items():
        shown = ", ".join(f"{key} {n}" for key, n in counts.most_common(_MOST_SHOWN))
        more = f", and {len(counts) - _MOST_SHOWN} more" if len(counts) > _MOST_SHOWN else ""
        click.echo(printable(f"  {name:8} {shown}{more}"), err=True)


COMMANDS: Final = (retry, drop)
