"""Ends a process that was told to end, in time, whatever still runs in it: the last resort.

An event loop bounds what it awaits, not a thread: one that a disk or a network mount holds up is
waited for by `asyncio.run`
(https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_default_executor)
and by the interpreter, for ever.
"""

import contextvars
import os
import threading
from typing import Any

import structlog

from gateway import logs

__all__ = ["end_within"]

log: Any = structlog.get_logger(__name__)


def end_within(seconds: float) -> None:
    """End this process with exit code 1 in so many seconds, unless it has ended by itself.

    Safe where everything that matters is stored before it is confirmed: what runs then is cut off
    as by a kill. The line that says so gets out first.
    """
    # With what stands in every log line of this process.
    timer = threading.Timer(seconds, contextvars.copy_context().run, (_end, seconds))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    log.error(
        "the stop takes too long, and the process ends where it stands",
        after_s=round(seconds, 1),
        threads=[one.name for one in threading.enumerate() if not one.daemon],
    )
    logs.write_out()
    os._exit(1)
