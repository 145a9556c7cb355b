"""`consumers notifier …`: what people would be told, and what is waiting to be told."""

import asyncio

import click

from consumers.notifier.inspection import checked, show_backlog
from gateway.commandline import settings_of

__all__ = ["command"]


@click.group("notifier")
def command() -> None:
    r"""Check the notifier's routes, and see what waits for its targets.

    More: docs/notifier.md.

    \b
    consumers notifier check
    consumers notifier backlog
    """


@command.command("check")
@click.option("--route", "only", metavar="NAME", help="Only this route.")
@click.option("--send", "is_sending", is_flag=True, help="Send the samples to their targets.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.pass_context
def check(context: click.Context, *, only: str | None, is_sending: bool, as_json: bool) -> None:
    r"""Render a sample of every message for every target.

    Exit code 0 when all of it works; 1 when a target did not accept a sample; 2 for settings that
    cannot work. More: docs/notifier.md.

    \b
    consumers notifier check
    consumers notifier check --route sales --send
    """
    settings = settings_of(context)
    is_good = asyncio.run(
        checked(settings, only=only, is_sending=is_sending, as_json=as_json, show=click.echo)
    )
    context.exit(0 if is_good else 1)


@command.command("backlog")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.pass_context
def backlog(context: click.Context, *, as_json: bool) -> None:
    r"""Show what waits for each target, and which targets are left alone after failures.

    More: docs/notifier.md.

    \b
    consumers notifier backlog
    consumers notifier backlog --json
    """
    asyncio.run(show_backlog(settings_of(context), as_json=as_json, show=click.echo))
