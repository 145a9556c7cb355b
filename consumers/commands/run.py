"""`consumers run`: one consumer as this process."""

import sys

import click
import structlog
import uvloop

from consumers.runtime.consumer_lookup import load_consumer
from consumers.runtime.consumer_process import run_until_signalled
from consumers.runtime.settlement import DeadLetterLimitReached
from gateway import logs
from gateway.commandline import settings_of

__all__ = ["command"]

log = structlog.get_logger()


@click.command("run")
@click.argument("name")
@click.pass_context
def command(context: click.Context, name: str) -> None:
    """Run a consumer: audit, notifier, warehouse, enricher, or module:object of your own.

    The first SIGTERM or SIGINT finishes the entries under way; the second ends the process at once.
    Exit code 3 says that too much could not be handled.
    """
    settings = settings_of(context)
    module, _, is_of_a_service = name.partition(":")
    own = [module.partition(".")[0]] if is_of_a_service else []
    logs.configure(settings.log, process=name, own=own)
    try:
        uvloop.run(run_until_signalled(load_consumer(name, settings), settings))
    except DeadLetterLimitReached as error:
        log.error("stopped by the limit of dead letters", error=str(error))
        sys.exit(3)
