"""The consumer of the end-to-end measurement: notes when its handler starts, for each event."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consumers import CommentEvent, Consumer

_starts: list[str] = []


@asynccontextmanager
async def _written() -> AsyncIterator[None]:
    yield
    Path(os.environ["SERVICE_EFFECTS"]).write_text("".join(_starts))  # noqa: ASYNC240 - at the end


app = Consumer(group="latency", stream="events", lifespan=_written)


@app.on("bitrix24.crm.timeline.comment.*")
async def note(event: CommentEvent) -> None:
    _starts.append(f"{event.id} {time.monotonic()}\n")
