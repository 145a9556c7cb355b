"""`gateway serve`: the receiver."""

import click
import uvloop

from gateway import logs
from gateway.commandline import settings_of
from gateway.web.serving import serve

__all__ = ["command"]


@click.command("serve")
@click.pass_context
def command(context: click.Context) -> None:
    """The receiver: accepts deliveries and stores them as events.

    Answers on [http] host and port; health and metrics are on [admin] host and port. SIGTERM or
    Ctrl-C stops accepting, finishes what is in flight, and ends with exit code 0.
    """
    settings = settings_of(context)
    logs.configure(settings.log, process="serve")
    uvloop.run(serve(settings))
