"""Is what the notifier does while no route is set: it keeps its place on the stream, and tells
nobody.

So it needs none of the libraries by which people are told, which are a fifth of its memory.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from consumers import Entry, Event
from consumers.notifier import metrics as _shown_as_ever  # noqa: F401 - by /metrics

__all__ = ["pass_over", "telling_nobody"]

log = structlog.get_logger()


@asynccontextmanager
async def telling_nobody() -> AsyncIterator[None]:
    """Say so at the start, once."""
    log.warning("notifier has no routes, nobody will be told of anything")
    yield


async def pass_over(event: Event, entry: Entry) -> None:
    """Let an event go by: a route that is set later begins with those that come then."""
