"""`gateway status` says whether an installation is well, on one screen."""

import asyncio
import time
from collections.abc import AsyncIterator

import click
from msgspec.structs import asdict

from gateway.commandline import settings_of
from gateway.commands.row_output import terminal_width
from gateway.commands.status_screen import Screen
from gateway.settings import Settings
from gateway.status.installation_status import InstallationStatus, StatusObserver
from gateway.status.status_rules import StatusFault, faults_of
from gateway.terminal import json_line

__all__ = ["command"]

_EVERY_S = 2.0
_HOME_AND_CLEAR = "\x1b[H\x1b[J"


@click.command("status")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each look.")
@click.pass_context
def command(context: click.Context, *, watch: bool, as_json: bool) -> None:
    r"""Whether everything is well: Redis, spools, groups, processes, portals.

    What is not well stands first, with the command that goes on from there; then ends with 1, else
    with 0. Answers within two seconds, also while Redis is away: then what this machine knows by
    itself. Reads only.

    WAITING are entries that a group was not given yet, IN HAND those that it was and is not through
    with; TREND is by how many a second both together grow or shrink, OLDEST how old the oldest is.
    HELD says how many partitions have a process. HEARD is how long ago a process has spoken, which
    each does every five seconds. More: docs/operations.md.

    \b
    gateway status
    gateway status --watch
    gateway status --json --config /etc/gateway/gateway.toml
    """
    settings = settings_of(context)
    try:
        is_well = asyncio.run(_show(settings, is_watching=watch, as_json=as_json))
    except KeyboardInterrupt:
        is_well = True
    context.exit(0 if is_well else 1)


async def _show(settings: Settings, *, is_watching: bool, as_json: bool) -> bool:
    """Show one look, or all there are; whether all was well at the last one."""
    screen = Screen()
    async with StatusObserver(settings) as observer:
        async for status in _looks(observer, is_watching=is_watching):
            faults = faults_of(status, memory_share=settings.retention.max_memory_share)
            if as_json:
                click.echo(json_line(_object(status, faults)))
            else:
                width = terminal_width()
                clearing = _HOME_AND_CLEAR if is_watching and width is not None else ""
                click.echo(f"{clearing}{screen.text(status, faults, width=width)}")
    return not faults


async def _looks(
    observer: StatusObserver, *, is_watching: bool
) -> AsyncIterator[InstallationStatus]:
    while True:
        began = time.monotonic()
        yield await observer.look()
        if not is_watching:
            return
        await asyncio.sleep(max(0.1, began + _EVERY_S - time.monotonic()))


def _object(status: InstallationStatus, faults: list[StatusFault]) -> dict[str, object]:
    return {"is_well": not faults, "faults": faults, **asdict(status)}
