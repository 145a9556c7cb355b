"""`consumers run`: one consumer as this process."""

import click
import uvloop

from consumers.runtime.loading import load_consumer
from consumers.runtime.process import run
from gateway import logs
from gateway.commandline import settings_of

__all__ = ["command"]


@click.command("run")
@click.argument("name")
@click.pass_context
def command(context: click.Context, name: str) -> None:
    """Run a consumer: audit, notifier, warehouse, enricher, or module:object of your own.

    The first SIGTERM or SIGINT finishes the entries in hand; the second ends the process at once.
    """
    settings = settings_of(context)
    logs.configure(settings.log, process=name)
    uvloop.run(run(load_consumer(name, settings), settings))
