"""Makes directories whose entries survive a power failure."""

import os
from pathlib import Path

__all__ = ["fsync_directory", "make_directory"]


def make_directory(directory: Path, *, mode: int = 0o777) -> None:
    """Make a directory with this mode, and those above it that are missing; all of them stay.

    Raises OSError. A directory is an entry of the one above it, which has to be written, too:
    https://man7.org/linux/man-pages/man2/fsync.2.html
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=mode, exist_ok=True)
    fsync_directory(directory.parent)


def fsync_directory(directory: Path) -> None:
    """Make the creation, renaming or removal of a file in it durable; raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
