"""Begins the process of a worker: with room for its metrics, or without metrics."""

import os
import signal
from pathlib import Path

from gateway.web.metric_files import allocate

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def main() -> None:
    """Work until SIGTERM, as gateway.web.worker does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until somebody listens for it
    no_room = ""
    try:
        allocate(Path(os.environ[_DIRECTORY]), os.getpid())
    except OSError as error:
        del os.environ[_DIRECTORY]
        no_room = str(error.strerror)
    from gateway.web import worker  # noqa: PLC0415 - prometheus_client looks for its files then

    worker.main(why_not_measured=no_room)


if __name__ == "__main__":
    main()
