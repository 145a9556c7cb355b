"""Ties a process to its parent, then becomes the program: `tether.py PARENT_PID PROGRAM ARGS...`.

The kernel sends SIGTERM when the parent dies, however it dies, and this survives exec:
https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html. It is done in a process of its
own, after exec, because code between fork and exec is not safe in a parent that has threads.
Linux only; elsewhere the program just starts. Run by file name, so it imports nothing of ours.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie(parent: int) -> None:
    """Have this process get SIGTERM when its parent dies; ends it if that has happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call above
            sys.exit(1)


def main() -> None:
    """Tie, and become the program; exit code 127 if there is no such program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    tie(parent)
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is what we want
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
