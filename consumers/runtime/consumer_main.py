"""Is the main function of a consumer's process, whoever started it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import uvloop

from consumers.runtime.consumer_lookup import load_consumer, load_server
from consumers.runtime.consumer_process import run, run_until_signalled
from consumers.runtime.consumer_set import ConsumerSet
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
    work: Callable[[asyncio.Event], Awaitable[None]]
    serve = load_server(name)
    if serve is not None:
        work, service = partial(serve, settings), f"b24-{name}"
    else:
        consumer = load_consumer(name, settings)
        service = f"b24-consumer-{ConsumerSet.of(consumer).name}"
        work = partial(run, consumer, settings)
    try:
        uvloop.run(run_until_signalled(work, service=service, grace_s=settings.consumers.grace_s))
    except DeadLetterLimitReached as error:
        log.error("stopped by the limit of dead letters", error=str(error))
        sys.exit(3)
