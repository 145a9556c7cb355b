"""`gateway replay` gives one group old events again."""

import asyncio
import shlex
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

import click
from msgspec import Struct
from msgspec.structs import replace

from gateway.commandline import settings_of
from gateway.contract import EventSelection, timestamps
from gateway.ops import redelivery as ops
from gateway.ops.answer_times import reach
from gateway.ops.redelivery import Replay, ReplayOutcome, ReplayPosition
from gateway.redis_access import connections
from gateway.redis_access.entry_count import EntryCount
from gateway.settings import Settings
from gateway.terminal import json_line

__all__ = ["command"]

_TOLD_EACH_S: Final = 1.0
_INTERRUPTED: Final = 130
"""What a shell calls the end of a command by Ctrl-C."""


class _Asked(Struct, frozen=True):
    """What is to be replayed, and how; of `replay` the stream may be found out."""

    replay: Replay
    per_second: float
    dry_run: bool


class _Told(Struct, frozen=True):
    """What came of it; `begins_ms` is when the stream begins, if something is gone."""

    asked: _Asked
    outcome: ReplayOutcome
    begins_ms: int | None
    counted: EntryCount | None = None


@click.command("replay")
@click.option("--group", required=True, metavar="NAME", help="The group; no other sees anything.")
@click.option("--from", "first", required=True, metavar="TIME", help="10m, 2h, ISO 8601, or an id.")
@click.option("--to", "last", metavar="TIME", help="The same; default: now.")
@click.option("--stream", metavar="NAME", help="events or comments; default: what the group reads.")
@click.option("--portal", metavar="ID", help="Only this portal: its member id or domain.")
@click.option("--type", "event_type", metavar="TYPE", help="Only this type: comment.updated, app.*")
@click.option("--event", "event_id", metavar="ID", help="Only the event of this id.")
@click.option(
    "--rate", "per_second", type=click.FloatRange(min=1), default=500, show_default=True,
    help="At most so many entries a second.",
)  # fmt: skip
@click.option("--effects", is_flag=True, help="As new events: notifications are sent again.")
@click.option("--go-on", metavar="PLACE", help="Where a stopped replay goes on, as it has said.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **given: Any) -> None:
    r"""Give one group old events again.

    They are flagged as a replay, so that nobody is notified twice. Ctrl-C stops it and says how to
    go on; what the stream has no more is said as well.

    TIME is when the gateway stored the event. Each comment's events come in their order. More:
    docs/consumers.md.

    \b
    gateway replay --group warehouse --from 2h --dry-run
    gateway replay --group warehouse --from 2026-01-31T00:00:00Z --to 1d --portal acme.bitrix24.com
    """
    asked = _asked(**given)
    told = asyncio.run(_run(settings_of(context), asked))
    if as_json:
        click.echo(json_line(_plain(told)))
    else:
        _show(told)
    if told.outcome.error is not None:
        context.exit(1)
    if told.outcome.stopped_at is not None:
        context.exit(_INTERRUPTED)


def _asked(
    *,
    group: str,
    first: str,
    last: str | None,
    stream: str | None,
    portal: str | None,
    event_type: str | None,
    event_id: str | None,
    per_second: float,
    effects: bool,
    go_on: str | None,
    dry_run: bool,
) -> _Asked:
    """What the options say; raises BadParameter."""
    now = datetime.now(UTC)
    try:
        # What comes in while it runs is not part of it: the group gets that anyway.
        until = ops.parse_bound(last, now=now) if last else str(round(now.timestamp() * 1000))
        wanted = Replay(
            group=group,
            stream=stream or "",
            first=ops.parse_bound(first, now=now),
            last=until,
            selection=EventSelection(portal=portal, type=event_type, event_id=event_id),
            is_silent=not effects,
            after=ReplayPosition.of(go_on) if go_on else None,
        )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return _Asked(wanted, per_second, dry_run)


async def _run(settings: Settings, asked: _Asked) -> _Told:
    streams = settings.redis.streams
    stop = asyncio.Event()
    await reach(settings.redis)
    async with connections.publisher(settings.redis.url, timeout_s=10) as redis:
        wanted = asked.replay
        stream = wanted.stream or await ops.stream_of_group(redis, streams, wanted.group)
        wanted = replace(wanted, stream=stream)
        asked = replace(asked, replay=wanted)
        begins_ms = await ops.missing_before(redis, streams, wanted)
        if asked.dry_run:
            counted = await ops.count_replay(redis, streams, wanted)
            return _Told(asked, ReplayOutcome(counted.count), begins_ms, counted)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        progress = _Progress()
        outcome = await ops.replay(
            redis, streams, wanted, per_second=asked.per_second, told=progress.told, stop=stop
        )
        progress.end()
        return _Told(asked, outcome, begins_ms)


class _Progress:
    """Says how far it is, each second: on a terminal in one line, else every ten thousand."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._told_at = self._began_at = time.monotonic()
        self._told = 0

    def told(self, count: int) -> None:
        """So many were given until now."""
        now = time.monotonic()
        if self._is_terminal and now - self._told_at >= _TOLD_EACH_S:
            a_second = count / max(now - self._began_at, _TOLD_EACH_S)
            click.echo(f"\rreplay: {count} entries, {a_second:.0f} a second", err=True, nl=False)
            self._told_at = now
        elif not self._is_terminal and count // 10_000 > self._told // 10_000:
            click.echo(f"replay: {count} entries", err=True)
            self._told = count

    def end(self) -> None:
        """Begin a new line."""
        if self._is_terminal and self._told_at != self._began_at:
            click.echo("", err=True)


def _plain(told: _Told) -> dict[str, object]:
    plain: dict[str, object] = {"entries": told.outcome.count, "dry_run": told.asked.dry_run}
    if told.counted is not None:
        plain["is_estimate"] = told.counted.is_estimate
    if told.begins_ms is not None:
        plain["begins_at"] = timestamps.milliseconds(told.begins_ms)
    if told.outcome.stopped_at is not None:
        plain["go_on"] = str(told.outcome.stopped_at)
    if told.outcome.error is not None:
        plain["error"] = told.outcome.error
    return plain


def _show(told: _Told) -> None:
    asked, outcome = told.asked, told.outcome
    wanted = asked.replay
    if told.begins_ms is not None:
        begins_at = timestamps.milliseconds(told.begins_ms)
        click.echo(f"{wanted.stream} begins {begins_at}: what was stored before is gone", err=True)
    were = "would be" if asked.dry_run else "were"
    click.echo(f"{outcome.count} entries {were} given to {wanted.group} again")
    if outcome.error is not None:
        click.echo(outcome.error, err=True)
    if outcome.stopped_at is not None:
        click.echo(f"stopped; it goes on with:\n  {_to_go_on(asked, outcome.stopped_at)}", err=True)


def _to_go_on(asked: _Asked, stopped_at: ReplayPosition) -> str:
    """The command that gives the rest, with the same bounds whenever it is called."""
    wanted, selection = asked.replay, asked.replay.selection
    options = {
        "--group": wanted.group,
        "--stream": wanted.stream,
        "--from": _bound(wanted.first),
        "--to": _bound(wanted.last),
        "--portal": selection.portal,
        "--type": selection.type,
        "--event": selection.event_id,
        "--rate": f"{asked.per_second:g}",
        "--go-on": str(stopped_at),
    }
    words = [word for name, value in options.items() if value for word in (name, value)]
    return shlex.join(["gateway", "replay", *words, *([] if wanted.is_silent else ["--effects"])])


def _bound(bound: str) -> str:
    """A bound as an option: a time as a time, since an id is one place in its millisecond."""
    return bound if "-" in bound else timestamps.milliseconds(int(bound))
