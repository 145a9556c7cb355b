"""Is the main function of a consumer's process, whoever started it."""

import sys

import structlog
import uvloop

from consumers.runtime.consumer_lookup import load_consumer
from consumers.runtime.consumer_process import run_until_signalled
from consumers.runtime.settlement import DeadLetterLimitReached
from gateway import logs
from gateway.settings import Settings

__all__ = ["consume"]

log = structlog.get_logger()


def consume(name: str, settings: Settings) -> None:
    """Run the consumer of this name until a signal; exit code 3 at the limit of dead letters."""
    module, _, is_of_a_service = name.partition(":")
    own = [module.partition(".")[0]] if is_of_a_service else []
    logs.configure(settings.log, process=name, own=own)
    try:
        uvloop.run(run_until_signalled(load_consumer(name, settings), settings))
    except DeadLetterLimitReached as error:
        log.error("stopped by the limit of dead letters", error=str(error))
        sys.exit(3)
