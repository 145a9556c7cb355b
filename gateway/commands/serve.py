"""`gateway serve` runs the receiver."""

import asyncio
import os

import click
import uvloop

from gateway import logs
from gateway.commandline import settings_of
from gateway.console.mounting import ConsoleMount
from gateway.settings import settings_file
from gateway.web.listening import SingleProcessPlace
from gateway.web.serving import serve
from gateway.web.workers import serve_by_workers

__all__ = ["command"]


@click.command("serve")
@click.pass_context
def command(context: click.Context) -> None:
    r"""The receiver: accepts deliveries and stores them as events.

    Answers on [http] host and port, by as many processes as [http] workers says; health, metrics
    and the console (/console/) are on [admin] host and port. SIGTERM or Ctrl-C stops accepting,
    finishes what is in flight, and ends with exit code 0; a second one ends everything at once.
    More: docs/http.md.

    \b
    gateway serve
    gateway serve --config /etc/gateway/gateway.toml
    """
    settings = settings_of(context)
    logs.configure(settings.log, process="serve")
    file = settings_file(context.find_root().params["config"], os.environ)
    console = ConsoleMount(settings, file)
    if settings.http.workers == 1:
        uvloop.run(serve(settings, SingleProcessPlace(settings), admin_pages=console.add_to))
    else:
        asyncio.run(serve_by_workers(settings, admin_pages=console.add_to))
