"""A small service, run as a process by the tests: appends each event it handles to a file."""

import asyncio
import os
import threading
from pathlib import Path

from consumers import CommentEvent, Consumer, Entry, Transient

app = Consumer(group="search-index", stream="events", start="beginning")


@app.on("bitrix24.crm.timeline.comment.*")
async def index(event: CommentEvent, entry: Entry) -> None:
    if event.data.comment_id == int(os.environ.get("SERVICE_DIES_OF", "0")):
        os._exit(9)
    if event.data.comment_id == int(os.environ.get("SERVICE_HANGS_AT", "0")):
        await asyncio.to_thread(threading.Event().wait)
    if event.data.comment_id == int(os.environ.get("SERVICE_FAILS_AT", "0")):
        raise Transient("the index is away: password=FAKE-PASSWORD")
    await asyncio.sleep(float(os.environ.get("SERVICE_TAKES_S", "0")))
    line = f"{event.id} {event.data.comment_id} {entry.id} {entry.epoch} {os.getpid()}\n"
    with Path(os.environ["SERVICE_EFFECTS"]).open("a") as file:  # noqa: ASYNC230 - one short line
        file.write(line)
