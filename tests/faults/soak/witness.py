"""The consumer that the soak never hurts: it notes down what is on `comments`, and how often."""

import os
from pathlib import Path
from typing import Final

from consumers import CommentEvent, Consumer, Entry

__all__ = ["app"]

_NOTES: Final = Path(os.environ.get("WITNESS_NOTES", "witness-notes"))

app = Consumer(group="witness", stream="comments")


@app.on("*")
async def note(event: CommentEvent, entry: Entry) -> None:
    """A line for each entry, which is one even if it comes again."""
    if not entry.is_replay:
        with _NOTES.open("a") as file:  # noqa: ASYNC230 - one short line
            file.write(f"{event.id} {entry.partition}/{entry.id}\n")
