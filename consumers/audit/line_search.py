"""Finds a place in a file of the log by halving, since its lines are in order."""

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

__all__ = ["first_line", "lines_from"]

_SMALL: Final = 1 << 16
"""Bytes that are sooner read than halved again."""


def first_line(file: BinaryIO, is_before: Callable[[bytes], bool]) -> int:
    """Where the first line begins that is not before what is looked for; the file's end if none is.

    `is_before` is true for the lines at the beginning, up to some line, and for none behind it.
    Where it is not, as after a clock was set back, some such border is found. A last line without
    an end, which is being written, is not before anything. Raises what `is_before` raises. Leaves
    the file somewhere.
    """
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _SMALL:
        middle = (low + high) // 2
        file.seek(middle)
        begins = middle + len(file.readline())
        line = file.readline()
        if begins >= high or not line.endswith(b"\n") or not is_before(line):
            high = middle
        else:
            low = begins + len(line)
    # The line that `high` is within begins at or after `low`, and may be the one.
    file.seek(low)
    while (line := file.readline()).endswith(b"\n") and is_before(line):
        low += len(line)
    return low


def lines_from(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    """The lines that begin from one place on, which is a line's beginning, up to another."""
    file.seek(begin)
    while begin < end and (line := file.readline()):
        begin += len(line)
        yield line
