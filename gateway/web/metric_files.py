"""Makes the files in which a worker's metrics stand, so that a full disk costs metrics and no
worker.

prometheus_client makes them sparse, and writes to them through memory: where the disk has no room
for a page of theirs, the kernel ends the process by SIGBUS. A file that is there in full before it
is used cannot do that. So this is called before prometheus_client is imported, which makes them:
https://prometheus.github.io/client_python/multiprocess/
"""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["KINDS", "allocate", "shrink"]

KINDS: Final = ("counter", "gauge_livesum", "gauge_mostrecent", "histogram")
"""What prometheus_client has a file of for each process: types, and modes of gauges."""
_SIZE: Final = 512 << 10
# Some 3,500 labelled values of each kind, of which 64 partitions have a third. Beyond, it makes its
# files larger by itself, and sparse.
_HEAD: Final = 8
_USED: Final = struct.Struct("i")


def allocate(directory: Path, pid: int) -> None:
    """Make the files of a process that is about to write them.

    Raises OSError if there is no room; then there are none.
    """
    try:
        for path in _files(directory, pid):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _SIZE)
            finally:
                os.close(descriptor)
    except OSError:
        for path in _files(directory, pid):
            path.unlink(missing_ok=True)
        raise


def shrink(directory: Path, pid: int) -> None:
    """Give back what the files of a dead process do not use; what it counted stays in them."""
    for path in _files(directory, pid):
        with suppress(OSError), path.open("r+b") as file:
            head = file.read(_USED.size)
            if len(head) == _USED.size:
                file.truncate(max(_HEAD, *_USED.unpack(head)))


def _files(directory: Path, pid: int) -> list[Path]:
    return [directory / f"{kind}_{pid}.db" for kind in KINDS]
