"""`gateway dead` shows dead letters, gives them back, and drops them."""

import asyncio
from typing import Final

import click

from gateway.commandline import settings_of
from gateway.commands.dead_changes import COMMANDS
from gateway.commands.dead_filters import GROUP, JSON, addresses_of, filtered
from gateway.commands.row_output import terminal_width
from gateway.ops import dead_letter_access as ops
from gateway.ops.answer_times import answering
from gateway.ops.dead_letter_access import DeadLetterAddress, LetterFilter, StoredLetter
from gateway.ops.text_tables import TablePages
from gateway.settings import Settings
from gateway.terminal import json_line, printable, printable_lines

__all__ = ["command"]

_HEAD: Final = (
    *("ADDRESS", "GROUP", "FAILED", "REASON", "ATTEMPTS"),
    *("EVENT", "SUBJECT", "PORTAL", "ERROR"),
)


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
@filtered
@JSON
@click.pass_context
def list_letters(
    context: click.Context, *, group: str | None, wanted: LetterFilter, as_json: bool
) -> None:
    r"""List dead letters, oldest first.

    ADDRESS is what the other commands take, FAILED when it was given up, ATTEMPTS how often it was
    tried. EVENT, SUBJECT and PORTAL are `-` for what is no event. More: docs/consumers.md.

    \b
    gateway dead list
    gateway dead list --group notifier --portal acme.bitrix24.com --since 2h --json
    """
    asyncio.run(_list(settings_of(context), group, wanted, as_json=as_json))


async def _list(
    settings: Settings, group: str | None, wanted: LetterFilter, *, as_json: bool
) -> None:
    pages = TablePages(_HEAD, width=terminal_width())
    is_any = False
    async with answering(settings.redis) as redis:
        streams = settings.redis.streams
        for name in [group] if group else await ops.groups_with_dead_letters(redis, streams):
            newest = await ops.newest_letters(redis, streams, name)
            async for some in ops.dead_letters(redis, streams, name, newest, wanted):
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
        stored.event_id,
        stored.subject,
        stored.portal,
        letter.error,
    )


@command.command("show")
@click.argument("address")
@GROUP
@JSON
@click.pass_context
def show(context: click.Context, *, address: str, group: str, as_json: bool) -> None:
    r"""Show one dead letter with its event.

    More: docs/consumers.md.

    \b
    gateway dead show --group notifier 0/1795381890441-0
    gateway dead show --group notifier 0/1795381890441-0 --json
    """
    found = asyncio.run(_at(settings_of(context), group, addresses_of([address])))
    if not found:
        raise click.ClickException(f"{group} has no dead letter {address}")
    plain = _plain(found[0], is_whole=True)
    if as_json:
        click.echo(json_line(plain))
        return
    traceback, history = plain.pop("traceback"), found[0].letter.history
    del plain["history"]
    for name, value in plain.items():
        click.echo(printable(f"{name:10} {value}"))
    for death in history:
        click.echo(printable(f"died before {death}"))
    if traceback:
        click.echo(f"\n{printable_lines(str(traceback))}")
    click.echo(f"\ngive it back:  gateway dead retry --group {group} {address}")


for _command in COMMANDS:
    command.add_command(_command)


async def _at(
    settings: Settings, group: str, addresses: list[DeadLetterAddress]
) -> list[StoredLetter]:
    async with answering(settings.redis) as redis:
        return await ops.letters_at(redis, settings.redis.streams, group, addresses, LetterFilter())


def _plain(stored: StoredLetter, *, is_whole: bool) -> dict[str, object]:
    letter = stored.letter
    plain: dict[str, object] = {
        "address": str(stored.address),
        "event_id": stored.event_id,
        "type": stored.type,
        "subject": stored.subject,
        "portal": stored.member_id,
        "domain": stored.domain,
        **{name: getattr(letter, name) for name in letter.__struct_fields__ if name != "event"},
    }
    if is_whole:
        plain["event"] = letter.event.decode(errors="backslashreplace")
    return plain
