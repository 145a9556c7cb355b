"""The consumer that the soak never hurts: it reads everything, and keeps nothing."""

from consumers import CommentEvent, Consumer

app = Consumer(group="witness", stream="events")


@app.on("*")
async def see(event: CommentEvent) -> None:
    """Nothing to keep."""
