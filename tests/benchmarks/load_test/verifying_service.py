"""Reads all of a load as a consumer group of its own, by the runtime that every consumer has.

It notes, in the order in which its handler was called, the event's id, its subject and where the
entry stands: a line for each in the file `LOAD_READINGS`, written when it is stopped.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from consumers import CommentEvent, Consumer, Entry

__all__ = ["GROUP", "app"]

GROUP: Final = "load-check"

_lines: list[str] = []


@asynccontextmanager
async def _written() -> AsyncIterator[None]:
    yield
    Path(os.environ["LOAD_READINGS"]).write_text("".join(_lines))  # noqa: ASYNC240 - at the end


app = Consumer(group=GROUP, stream="events", start="now", lifespan=_written)


@app.on("bitrix24.crm.timeline.comment.*")
async def note(event: CommentEvent, entry: Entry) -> None:
    """Note an event."""
    _lines.append(f"{event.id} {event.subject} {entry.partition} {entry.id}\n")
