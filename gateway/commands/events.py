"""`gateway events` shows which events of Bitrix24 there are, and binds them in portals."""

import click

from gateway.commands import event_changes, event_list

__all__ = ["command"]


@click.group("events")
def command() -> None:
    r"""Events of Bitrix24: which there are, which are taken, and what portals have bound.

    Which are taken is said by the settings ([[events]]); portals bind these when they install the
    application, and `gateway reconcile` binds what is missing. More: docs/events.md.

    \b
    gateway events list --subscribed
    gateway events add --dry-run
    """


command.add_command(event_list.command)
command.add_command(event_changes.add)
command.add_command(event_changes.remove)
