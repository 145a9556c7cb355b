"""`gateway tail` prints one readable line for each entry of a stream."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from msgspec import Struct

from gateway.commandline import settings_of
from gateway.commands.tail_output import FORMAT_NAMES, Printing, printer_of
from gateway.contract import (
    ENTITY_TYPE_ID,
    KNOWN_TYPES,
    EntryId,
    EventSelection,
    is_of_type,
    moment_in,
)
from gateway.moments import Moment, position_before
from gateway.ops import entry_lines
from gateway.ops.answer_times import answering, reach
from gateway.ops.entry_lines import ReadEntry
from gateway.ops.stream_following import follow
from gateway.ops.unhandled_entries import delivered_up_to, entries_pending
from gateway.redis_access.redis_faults import FAILURES
from gateway.settings import Settings

__all__ = ["command"]

_CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""More than those of machines that ask anybody for the time, and not much to read."""


class _Asked(Struct, frozen=True, kw_only=True):
    """What is to be shown. `after` is the id behind which to begin; None: what is stored from now
    on. With `group` only what that has not handled.
    """

    stream: str
    wanted: EventSelection
    after: str | None
    until_ms: int | None
    group: str | None
    is_endless: bool
    count: int | None


@click.command("tail")
@click.option(
    "--stream",
    default="events",
    show_default=True,
    metavar="NAME",
    help="events, comments or dead:<group>.",
)
@click.option(
    "--since", type=Moment(), metavar="TIME", help="Old entries first: 10m, 2h, or ISO 8601."
)
@click.option("--until", type=Moment(), metavar="TIME", help="End with what was stored by then.")
@click.option("--no-follow", is_flag=True, help="End at the end of the stream.")
@click.option("--event", "event_id", metavar="ID", help="Only the event of this id.")
@click.option("--comment", "comment_id", type=int, metavar="ID", help="Only of this comment.")
@click.option("--type", "event_type", metavar="TYPE", help="Only this type: comment.updated, app.*")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option("--group", metavar="NAME", help="Only what this group has not handled.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many entries.")
@click.option(
    "--rate",
    "per_second",
    type=click.FloatRange(min=1),
    help="Show at most so many a second, and how many were skipped.",
)
@click.option(
    "--format",
    "form",
    metavar="TEXT",
    help="A line of one's own, of {" + "}, {".join(FORMAT_NAMES) + "}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    stream: str,
    per_second: float | None,
    form: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    r"""Follow a stream without consuming it.

    Begins with what is stored from now on (with --no-follow or --until with the oldest), and goes
    on until Ctrl-C; when Redis is away it waits. Times are in UTC. An event's id holds its time:
    with --event, the stream is read from then on to its end, and the exit code is 1 if the event is
    not there. `gateway explain` finds it faster. More: docs/operations.md.

    \b
    gateway tail --since 1h --no-follow --portal acme.bitrix24.com
    gateway tail --stream comments --group notifier --no-follow --format '{time} {subject} {text}'
    """
    settings = settings_of(context)
    try:
        entry_lines.keys_of(stream, settings.redis.streams)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--stream") from error
    asked = _asked(stream, **given)
    _doubt_type(asked.wanted.type, settings)
    printing = Printing(printer_of(form=form, as_json=as_json), per_second=per_second, tell=_tell)
    event_id = asked.wanted.event_id
    with suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, asked, printing))
        if event_id is not None and not printing.shown:
            begin = datetime.fromtimestamp(EntryId.of(asked.after or "0").ms / 1000, UTC)
            _tell(f"{event_id} is not on {stream} from {begin:%Y-%m-%d %H:%M:%S} UTC on")
            _tell(f"where it is, says: gateway explain {event_id}")
            context.exit(1)
    printing.tell_skipped()


def _doubt_type(pattern: str | None, settings: Settings) -> None:
    """Say that a type may be a slip, which would be waited for in silence."""
    if pattern is None:
        return
    declared = (one.type for one in settings.events)
    words = (ENTITY_TYPE_ID if word.isdigit() else word for word in pattern.split("."))
    meant = ".".join(words)
    if not any(is_of_type(one, meant) for one in (*KNOWN_TYPES, *declared)):
        _tell(f"no event that is known here is of the type {pattern}: gateway events list has all")


def _asked(
    stream: str,
    *,
    since: datetime | None,
    until: datetime | None,
    no_follow: bool,
    event_id: str | None,
    comment_id: int | None,
    event_type: str | None,
    portal: str | None,
    group: str | None,
    count: int | None,
) -> _Asked:
    """What the options say; raises BadParameter."""
    begin = since if event_id is None else _not_before(event_id, since)
    is_endless = event_id is None and not no_follow
    after = position_before(begin) if begin else None
    if after is None and (not is_endless or until is not None):
        after = "0-0"
    return _Asked(
        stream=stream,
        wanted=EventSelection(
            portal=portal,
            type=event_type,
            subject=None if comment_id is None else f"comment/{comment_id}",
            event_id=event_id,
        ),
        after=after,
        until_ms=None if until is None else round(until.timestamp() * 1000),
        group=group,
        is_endless=is_endless,
        count=count,
    )


def _not_before(event_id: str, begin: datetime | None) -> datetime:
    """Where to begin to look for an event: not before its receipt, as far as clocks differ."""
    received_at = moment_in(event_id)
    if received_at is None and begin is None:
        raise click.BadParameter(
            f"{event_id} has no time in it: say by --since from when on to look",
            param_hint="--event",
        )
    moments = (begin, received_at - _CLOCKS_DIFFER if received_at else None)
    return max(moment for moment in moments if moment is not None)


async def _tail(settings: Settings, asked: _Asked, printing: Printing) -> None:
    """Show entries, to the end of the stream or until there are enough of them."""
    async with aclosing(_entries(settings, asked)) as entries:
        async for entry in entries:
            if not entry_lines.is_meant(entry, asked.wanted):
                continue
            if printing.show(entry) and printing.shown == asked.count:
                return


async def _entries(settings: Settings, asked: _Asked) -> AsyncGenerator[ReadEntry, None]:
    """The entries to choose from: with a group what that has in hand, then what it is to get."""
    after: str | Mapping[str, str] | None = asked.after
    if not asked.is_endless:  # or whoever asks for what is there would wait for Redis
        await reach(settings.redis)
    if asked.group is not None:
        async with answering(settings.redis) as redis:
            keys_now = entry_lines.keys_of(asked.stream, settings.redis.streams)
            after = await delivered_up_to(redis, keys_now, asked.group)
            for key in after:
                async for entry in entries_pending(redis, key, asked.group):
                    if _is_between(entry, asked):
                        yield entry
        if asked.after is not None:
            after = {key: max(one, asked.after, key=EntryId.of) for key, one in after.items()}
    subject = asked.wanted.subject
    streams = settings.redis.streams

    async def keys() -> tuple[str, ...]:
        async with answering(settings.redis):
            return entry_lines.keys_of(asked.stream, streams)

    with suppress(*FAILURES):  # whoever waits for Redis has those of the settings until then
        await reach(settings.redis)
    following = follow(
        settings.redis.url,
        tuple(after) if isinstance(after, Mapping) else entry_lines.keys_of(asked.stream, streams),
        more=keys,
        after=after,
        until_ms=asked.until_ms,
        told=_tell,
        containing=asked.wanted.event_id or (f'"{subject}"' if subject else None),
        is_endless=asked.is_endless,
    )
    async with aclosing(following) as entries:
        async for entry in entries:
            yield entry


def _is_between(entry: ReadEntry, asked: _Asked) -> bool:
    at = EntryId.of(entry.id)
    return (asked.after is None or at > EntryId.of(asked.after)) and (
        asked.until_ms is None or at.ms < asked.until_ms
    )


def _tell(sentence: str) -> None:
    click.echo(f"tail: {sentence}", err=True)
