"""Makes of a process that was just forked one that runs a module, as if freshly started."""

import ctypes
import gc
import io
import os
import runpy
import signal
import sys
import traceback
from typing import Final, NoReturn

from gateway.processes import tether
from gateway.processes.fork_messages import Start

__all__ = ["become"]

_PR_SET_NAME: Final = 15
"""https://man7.org/linux/man-pages/man2/PR_SET_NAME.2const.html"""


def become(start: Start, *, output: int, parent: int) -> NoReturn:
    """Run the module as `python -m` does, and end by SystemExit with its exit code.

    The process leads a session of its own, is tied to its parent, reads nothing, and writes to
    `output`. Umask, working directory and limits are the parent's, as after exec.
    """
    os.setsid()
    tether.tie(parent)
    # For `ps` and `top`, where all would have the supervisor's name.
    ctypes.CDLL(None).prctl(_PR_SET_NAME, start.name.encode())
    _direct(output)
    os.environ.update(start.env)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.enable()
    sys.argv = [start.module, *start.arguments]
    try:
        runpy.run_module(start.module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - as Python ends a program, without the frames of the parent
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


def _direct(output: int) -> None:
    """Have standard input be empty, and standard output and error go to a descriptor."""
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(empty)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        # Else lines are written one by one if the parent writes to a terminal.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=False)
