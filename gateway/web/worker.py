"""Runs one worker of a receiver, of which gateway.web.workers starts several.

It is told everything on its standard input, the settings included, so that a worker that is
started again works with the same ones as the others, whatever has become of the file meanwhile.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop
from msgspec import Struct

from gateway import logs
from gateway.errors import BackgroundFailed, OperatorError
from gateway.settings import Settings
from gateway.web.listening import WorkerPlace
from gateway.web.reloading import settings_again
from gateway.web.serving import serve

__all__ = ["Assignment", "main"]

log: Any = structlog.get_logger(__name__)


class Assignment(Struct, frozen=True, kw_only=True):
    """What a worker is told: its name, the settings, the file that was named for them, the
    listening sockets it inherits, its own socket file.
    """

    name: str
    settings: Settings
    config: str | None
    listeners: tuple[int, ...]
    admin_socket: str


def main(*, why_not_measured: str = "") -> None:
    """Work until SIGTERM, with metrics unless there is a reason why not.

    Exit code 2 after an error that the operator has to mend, 1 after one of the background.
    """
    assignment = msgspec.json.decode(sys.stdin.buffer.read(), type=Assignment)
    settings = assignment.settings
    logs.configure(settings.log, process=assignment.name)
    if why_not_measured:
        log.error("this worker is without metrics", reason=why_not_measured)
    place = WorkerPlace(assignment.name, assignment.listeners, Path(assignment.admin_socket))
    try:
        uvloop.run(serve(settings, place, partial(settings_again, assignment.config)))
    except OperatorError as error:
        sys.stderr.write(f"gateway: {error}\n")
        sys.exit(2)
    except BackgroundFailed:
        sys.exit(1)
