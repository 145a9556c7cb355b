"""What waits in a spool, as its file says."""

from contextlib import closing
from pathlib import Path

from gateway.publishing.spool.batch_file import SpoolFile
from tests.support.eventually import eventually

__all__ = ["spooled", "until_drained"]


def spooled(directory: Path) -> int:
    """How many events wait in a spool."""
    with closing(SpoolFile(directory, max_bytes=1 << 30, is_checked=False)) as spool:
        return spool.totals()[0]


async def until_drained(directory: Path, *, timeout_s: float = 60) -> None:
    """Wait until no event waits in a spool."""
    await eventually(lambda: spooled(directory) == 0, timeout_s=timeout_s)
