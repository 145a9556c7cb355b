"""Names the parts of `make bench-growth`, and returns what they measure as data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.benchmarks.growth import (
    comments_asked,
    looking_at_audit,
    looking_at_dead_letters,
    looking_at_streams,
    portal_backlog,
    portals_looked_after,
    receiver_standstill,
    warehouse_partitions,
)
from tests.benchmarks.growth.curve import Curve

__all__ = ["PARTS", "curves"]

PARTS: Final[Mapping[str, Callable[[Path], list[Curve]]]] = {
    "streams": looking_at_streams.curves,
    "dead-letters": looking_at_dead_letters.curves,
    "audit": looking_at_audit.curves,
    "backlog": portal_backlog.curves,
    "receiver": receiver_standstill.curves,
    "reconcile": portals_looked_after.curves,
    "comments": comments_asked.curves,
    "partitions": warehouse_partitions.curves,
}


def curves(parts: Sequence[str] = ()) -> Iterator[Curve]:
    """Measure the parts, or all, one after the other; each curve as soon as its part is through."""
    with TemporaryDirectory(dir=Path.cwd(), prefix="bench-growth-") as directory:
        for name in parts or PARTS:
            yield from PARTS[name](Path(directory) / name)
