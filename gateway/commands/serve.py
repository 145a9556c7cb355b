"""`gateway serve` runs the receiver."""

import asyncio
import os
from functools import partial

import click
import uvloop

from gateway import logs
from gateway.commandline import settings_of
from gateway.console.mounting import ConsoleMount
from gateway.settings import settings_file
from gateway.web.inherited_sockets import inherited_sockets
from gateway.web.listening import SingleProcessPlace
from gateway.web.reloading import settings_again
from gateway.web.serving import serve
from gateway.web.workers import serve_by_workers

__all__ = ["command"]


@click.command("serve")
@click.pass_context
def command(context: click.Context) -> None:
    r"""The receiver: accepts deliveries and stores them as events.

    Answers on [http] host and port, or on the sockets that systemd hands over, by as many processes
    as [http] workers says; health, metrics and the console (/console/) are on [admin] host and
    port. SIGTERM or Ctrl-C stops accepting, finishes what is in flight, and ends with exit code 0;
    a second one ends everything at once. SIGHUP reads [[portals]]
    again. More: docs/http.md.

    \b
    gateway serve
    gateway serve --config /etc/gateway/gateway.toml
    """
    settings = settings_of(context)
    config = context.find_root().params["config"]
    logs.configure(settings.log, process="serve")
    file = settings_file(config, os.environ)
    console = ConsoleMount(settings, file)
    read_again = partial(settings_again, config)
    inherited = inherited_sockets(os.environ)
    if settings.http.workers == 1:
        place = SingleProcessPlace(settings, inherited)
        uvloop.run(serve(settings, place, read_again, admin_pages=console.add_to))
    else:
        asyncio.run(serve_by_workers(settings, config, inherited, admin_pages=console.add_to))
