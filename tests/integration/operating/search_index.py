"""A service that fails on one portal's events until it is mended, run as a process by the tests.

What it handles is a line of a file. The portal $INDEX_FAILS_FOR fails in two ways: of comments with
odd numbers its events are given up at once, of those with even ones they are tried again.
"""

import os
from pathlib import Path

from consumers import CommentEvent, Consumer, Reject, Transient

app = Consumer(group="search-index", stream="events", start="beginning")


@app.on("bitrix24.crm.timeline.comment.*")
async def index(event: CommentEvent) -> None:
    if event.data.domain == os.environ.get("INDEX_FAILS_FOR"):
        if event.data.comment_id % 2:
            raise Reject("the index knows no such portal")
        raise Transient("the portal's index is locked")
    with Path(os.environ["SERVICE_EFFECTS"]).open("a") as file:  # noqa: ASYNC230 - one short line
        file.write(f"{event.id}\n")
